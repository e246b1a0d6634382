"""Rules of argument, Variable, context and declaration make the same trees."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import linen, nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float32

from tests.derive.helpers import raw
from tests.zoo import leaf, named, state
from typedstate import (
    Abstract,
    Placed,
    PlacedBy,
    Shardings,
    Specs,
    TypedState,
    abstract,
    explain,
    shardings,
    specs,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


class LogicalState(TypedState):
    w: Annotated[nnx.Param[Float32[Array, "d n"]], P("embed", "mlp")]


RULES = (("embed", "fsdp"), ("mlp", "tensor"))


def test_rules_of_argument_variable_and_context_make_the_same_trees(
    mesh: jax.sharding.Mesh,
) -> None:
    wanted = NamedSharding(mesh, P("fsdp", "tensor"))
    values = jnp.ones((8, 4))
    first_fit = functools.partial(linen.logical_to_mesh_axes, rules=(("mlp", "fsdp"), *RULES))
    plain = state({"w": named(nnx.Param, values, "embed", "mlp")})
    metadata = {"sharding": ("embed", "mlp"), "eager_sharding": False, "sharding_rules": RULES}
    own = state({"w": leaf(nnx.Param, values, **metadata)})
    found = [
        shardings(LogicalState, mesh, RULES, like=plain),
        shardings(LogicalState, mesh, like=own),
    ]
    with linen.logical_axis_rules(RULES):
        found.append(shardings(LogicalState, mesh, d=8, n=4))
        assert specs(LogicalState)["w"] == P("fsdp", "tensor")
        made: Any = abstract(LogicalState, d=8, n=4, mesh=mesh)
        assert raw(made["w"]).sharding == wanted
    assert [tree["w"] for tree in found] == [wanted] * 3
    # Linen takes the first rule whose axis is free: mlp has fsdp before embed comes.
    assert specs(LogicalState, first_fit)["w"] == P(None, "fsdp")


def test_rules_of_a_declaration_go_with_it(mesh: jax.sharding.Mesh) -> None:
    first_fit = functools.partial(linen.logical_to_mesh_axes, rules=(("mlp", "fsdp"), *RULES))
    for rules, spec in [(RULES, P("fsdp", "tensor")), (first_fit, P(None, "fsdp"))]:
        hint: Any = PlacedBy[LogicalState, rules]
        assert specs(hint)["w"] == spec
        on_mesh = shardings(hint, mesh, d=8, n=4)
        assert on_mesh["w"] == NamedSharding(mesh, spec)
        made: Any = abstract(hint, d=8, n=4, mesh=mesh)
        assert raw(made["w"]).sharding == NamedSharding(mesh, spec)
        for tree, form in [
            (specs(hint), Specs[hint]),
            (on_mesh, Shardings[hint]),
            (made, Abstract[hint]),
            (made, Placed[Abstract[hint]]),
        ]:
            report = explain(tree, form)
            assert report, report
            assert not report.unknown
        turned = nnx.State({"w": NamedSharding(mesh, P(*reversed([*spec, None][:2])))})
        assert not explain(turned, Shardings[hint])
    assert specs(PlacedBy[LogicalState, first_fit], RULES)["w"] == P("fsdp", "tensor")
