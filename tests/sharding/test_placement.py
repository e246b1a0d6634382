"""Where concrete arrays really are, beside where their names say."""

from __future__ import annotations

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Key

from tests.sharding.helpers import MeshNamedState, messages, put, weight
from tests.zoo import named, state
from tests.zoo.meshes import mesh_of, set_mesh
from typedstate import Placed, TypedState, explain

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (P("fsdp", "tensor"), []),
        (P(("fsdp",), "tensor"), []),
        (P("tensor", "fsdp"), ["P('tensor', 'fsdp')"]),
        (P("fsdp"), ["P('fsdp')"]),
        (P(), ["P()"]),
        (P(("fsdp", "tensor")), ["P(('fsdp', 'tensor'))"]),
    ],
)
def test_an_array_is_where_its_names_say(
    mesh: jax.sharding.Mesh, spec: P, found: list[str]
) -> None:
    report = explain(weight(put(spec, mesh), "fsdp", "tensor"), Placed[MeshNamedState])
    expected = "w: expected P('fsdp', 'tensor'), found"
    assert messages(report) == [f"{expected} {text} [sharding]" for text in found]


def test_what_a_mesh_can_not_split_is_said(mesh: jax.sharding.Mesh) -> None:
    """Where names are constraints only, XLA puts what it can't split somewhere else."""
    odd = put(P("fsdp"), mesh, (8, 3))
    assert messages(explain(weight(odd, "fsdp", "tensor"), Placed[MeshNamedState])) == [
        "w: expected P('fsdp', 'tensor'), found P('fsdp') (no array of this shape can be: "
        "needs axis 1 divisible by tensor=2, found size 3) [sharding]"
    ]


def test_what_is_not_on_a_mesh_is_not_placed() -> None:
    one = explain(weight(jnp.ones((8, 16)), "fsdp", "tensor"), Placed[MeshNamedState])
    assert messages(one) == [
        "w: expected P('fsdp', 'tensor'), found an array on one device [sharding]"
    ]

    class HostState(TypedState):
        w: Annotated[nnx.Param[Float[np.ndarray, "d hidden"]], P("fsdp", "tensor")]

    host = explain(weight(np.ones((8, 16)), "fsdp", "tensor"), Placed[HostState])
    assert messages(host) == ["w: expected P('fsdp', 'tensor'), found a numpy array [sharding]"]


class SeveralState(TypedState):
    first: MeshNamedState
    last: MeshNamedState
    bias: Annotated[nnx.Param[Float[Array, "d"]], P("fsdp")]


def test_a_state_that_nobody_sharded_has_one_cause() -> None:
    """Three leaves: two of a cause are told of as they are."""
    array = jnp.ones((8, 16))
    one = weight(array, "fsdp", "tensor")
    whole = {"first": one, "last": one, "bias": named(nnx.Param, jnp.ones(8), "fsdp")}
    assert str(explain(state(whole), Placed[SeveralState])).splitlines() == [
        "does not fit Placed[SeveralState]: 3 violations",
        "  cause: the arrays are on one device, not on the mesh: "
        "jax.device_put(state, shardings(S, mesh)) places them (3 leaves)",
        "  first.w: expected P('fsdp', 'tensor'), found an array on one device [sharding]",
        "  last.w: expected P('fsdp', 'tensor'), found an array on one device [sharding]",
        "  bias: expected P('fsdp'), found an array on one device [sharding]",
        "  dims: d=8",
    ]


def test_a_mesh_axis_of_size_one_splits_nothing() -> None:
    flat = mesh_of(shape=(8, 1))
    for spec in (P("fsdp", "tensor"), P("fsdp"), P(("fsdp", "tensor"))):
        assert explain(weight(put(spec, flat), "fsdp", "tensor"), Placed[MeshNamedState])
    assert not explain(weight(put(P("tensor"), flat), "fsdp", "tensor"), Placed[MeshNamedState])


def test_one_device_is_enough_where_the_mesh_splits_nothing() -> None:
    single = jax.make_mesh((1, 1), ("fsdp", "tensor"), devices=jax.devices()[:1])
    plain = weight(jnp.ones((8, 16)), "fsdp", "tensor")
    with set_mesh(single):
        assert explain(plain, Placed[MeshNamedState])
    assert not explain(plain, Placed[MeshNamedState])


def test_names_of_the_metadata_count_where_the_schema_has_none(mesh: jax.sharding.Mesh) -> None:
    class S(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    assert explain(weight(put(P("fsdp"), mesh), "fsdp"), Placed[S])
    found = explain(weight(put(P("tensor"), mesh), "fsdp"), Placed[S])
    assert messages(found) == ["w: expected P('fsdp'), found P('tensor') [sharding]"]
    assert explain(weight(put(P("tensor"), mesh)), Placed[S])


def test_keys_deleted_buffers_and_references_show_their_placement(mesh: jax.sharding.Mesh) -> None:
    gone = put(P("fsdp", "tensor"), mesh)
    gone.delete()
    found = explain(weight(gone, "fsdp", "tensor"), Placed[MeshNamedState])
    assert [one.code for one in found.violations] == ["array"]  # and of the sharding nothing
    good, bad = put(P("fsdp", "tensor"), mesh), put(P("tensor"), mesh)
    assert explain(weight(good, "fsdp", "tensor", ref=True), Placed[MeshNamedState])
    assert not explain(weight(bad, "fsdp", "tensor", ref=True), Placed[MeshNamedState])

    class KeyState(TypedState):
        key: Annotated[Annotated[nnx.RngKey, Key[Array, "n"]], P("fsdp")]

    keys = jax.device_put(jax.random.split(jax.random.key(0), 8), NamedSharding(mesh, P("fsdp")))
    tree = state({"key": named(nnx.RngKey, keys, "fsdp")})
    assert explain(tree, Placed[KeyState])
