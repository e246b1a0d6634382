"""A structure that was accepted is looked at again for where its arrays are."""

from __future__ import annotations

from typing import Annotated

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import MeshNamedState, NamedState, put, weight
from tests.zoo import leaf, named, state
from tests.zoo.meshes import mesh_of, rules_of
from typedstate import Placed, Report, Shardings, Specs, TypedState, explain, fits

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def test_an_accepted_structure_is_looked_at_again(mesh: jax.sharding.Mesh) -> None:
    hint = Placed[MeshNamedState]
    for _ in range(3):
        assert fits(weight(put(P("fsdp", "tensor"), mesh), "fsdp", "tensor"), hint)
        assert not fits(weight(put(P("tensor", "fsdp"), mesh), "fsdp", "tensor"), hint)
        assert not fits(weight(put(P("fsdp", "tensor"), mesh), "tensor", "fsdp"), hint)
    for _ in range(3):
        assert fits(state({"w": P("fsdp", "tensor")}), Specs[MeshNamedState])
        assert not fits(state({"w": P("tensor", "fsdp")}), Specs[MeshNamedState])


def test_a_change_of_rules_is_noticed(mesh: jax.sharding.Mesh) -> None:
    tree = weight(put(P("fsdp", "tensor"), mesh), "embed", "mlp")
    hint = Placed[NamedState]
    for _ in range(3):
        with rules_of((("embed", "fsdp"), ("mlp", "tensor"))):
            assert fits(tree, hint)
        with rules_of((("embed", "tensor"), ("mlp", "fsdp"))):
            assert not fits(tree, hint)


def test_sizes_of_shardings_are_asked_again() -> None:
    class Fixed(TypedState):
        w: nnx.Param[Float[Array, "6 d"]]

    two = mesh_of(shape=(2, 4))
    four = mesh_of(shape=(4, 2))
    for _ in range(3):
        assert fits(state({"w": NamedSharding(two, P("fsdp"))}), Shardings[Fixed])
        assert not fits(state({"w": NamedSharding(four, P("fsdp"))}), Shardings[Fixed])


def test_an_alternative_that_does_not_fit_says_nothing_of_placement() -> None:
    class BothState(TypedState):
        a: Annotated[nnx.Param[Float[Array, "n"]], P("x")]
        b: nnx.Param[Float[Array, "n"]]

    class OtherState(TypedState):
        a: nnx.Param
        b: nnx.BatchStat

    class EitherState(TypedState):
        inner: Placed[BothState] | OtherState

    reports: list[Report] = []

    def trace(x: jax.Array) -> jax.Array:
        inner = {"a": named(nnx.Param, x, "x"), "b": leaf(nnx.BatchStat, x)}
        reports.append(explain(state({"inner": inner}), EitherState))
        return x

    jax.jit(trace)(jnp.ones(3))
    assert str(reports[0]) == "fits EitherState"
