"""Partition specs and shardings derived from a declaration."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import AxisType, PartitionSpec as P
from jaxtyping import Array, Float

from tests.derive.helpers import BIASED, GIVEN, Named, model
from tests.zoo import LinearState
from tests.zoo.meshes import mesh_of, set_mesh
from typedstate import (
    Abstract,
    Only,
    Placed,
    Pure,
    Shardings,
    Specs,
    Stacked,
    TypedState,
    abstract,
    explain,
    shardings,
    specs,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def test_specs_and_shardings_fit_their_forms(mesh: jax.sharding.Mesh) -> None:
    found = specs(Named, layers=2, **BIASED)
    assert explain(found, Specs[Named])
    on_mesh = shardings(Named, mesh, **BIASED, **GIVEN)
    assert explain(on_mesh, Shardings[Named], dims=GIVEN)
    assert jax.tree.map(lambda s: s.spec, on_mesh) == found
    assert shardings(Named, mesh, like=model(nnx.Rngs(0))) == on_mesh
    assert shardings(Named, mesh, like=nnx.state(model(nnx.Rngs(0)))) == on_mesh


def test_a_leaf_without_names_is_not_split() -> None:
    assert specs(LinearState, choices={"bias": True}) == nnx.State({"kernel": P(), "bias": P()})


def test_logical_names_are_resolved(mesh: jax.sharding.Mesh) -> None:
    class S(TypedState):
        w: Annotated[nnx.Param[Float[Array, "d n"]], P("embed", "mlp")]

    assert specs(S)["w"] == P("embed", "mlp")
    assert specs(S, (("mlp", "tensor"), ("embed", None)))["w"] == P(None, "tensor")
    assert specs(S, lambda names: [f"{name}!" for name in names])["w"] == P("embed!", "mlp!")


@pytest.mark.parametrize("form", ["state", "params", "pure", "stacked"])
def test_jax_takes_the_trees(mesh: jax.sharding.Mesh, form: str) -> None:
    model_state: Any = nnx.state(model(nnx.Rngs(0)))
    hint: Any = Named
    if form == "params":
        model_state, hint = nnx.filter_state(model_state, nnx.Param), Only[Named, nnx.Param]
    elif form == "pure":
        model_state, hint = nnx.to_pure_dict(model_state), Pure[Named]
    elif form == "stacked":
        model_state, hint = (
            jax.tree.map(lambda x: jnp.stack([x] * 3), model_state),
            Stacked[Named, "n"],
        )
    on_mesh: Any = shardings(hint, mesh, like=model_state)
    for placed in [
        jax.device_put(model_state, on_mesh),
        jax.jit(lambda x: x, out_shardings=on_mesh)(model_state),
        jax.jit(lambda x: x, in_shardings=(on_mesh,), out_shardings=on_mesh)(model_state),
        jax.jit(lambda x: jax.lax.with_sharding_constraint(x, on_mesh))(model_state),
    ]:
        report = explain(placed, Placed[hint])
        assert report, report
        assert not report.unknown
    arrays: Any = abstract(hint, mesh=mesh, like=model_state)
    shaped = jax.eval_shape(lambda x: jax.tree.map(lambda y: y + 1, x), arrays)
    assert explain(shaped, Abstract[hint])
    assert explain(arrays, Placed[Abstract[hint]])


def test_specs_are_constraints_and_shardings_of_jit_under_a_mesh(
    mesh: jax.sharding.Mesh,
) -> None:
    model_state: Any = nnx.state(model(nnx.Rngs(0)))
    found = specs(Named, like=model_state)
    with set_mesh(mesh):
        for placed in [
            jax.jit(lambda x: jax.lax.with_sharding_constraint(x, found))(model_state),
            jax.jit(lambda x: x, in_shardings=(found,), out_shardings=found)(model_state),
            jax.jit(lambda x: x, out_shardings=found)(model_state),
        ]:
            assert explain(placed, Placed[Named])


def test_trees_for_explicit_axes() -> None:
    explicit = mesh_of(AxisType.Explicit)
    model_state: Any = nnx.state(model(nnx.Rngs(0)))
    found: list[Any] = []

    def body(inner: Any) -> Any:
        found.append(explain(inner, Placed[Named]))
        return inner

    on_mesh = shardings(Named, explicit, like=model_state)
    with set_mesh(explicit):
        placed = jax.device_put(model_state, on_mesh)
        out = jax.jit(body, in_shardings=(on_mesh,), out_shardings=on_mesh)(placed)
    for report in (*found, explain(out, Placed[Named])):
        assert report, report
        assert not report.unknown
