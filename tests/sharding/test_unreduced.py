"""Partial sums in a sharding: ``P("x", None, unreduced={"y"})``, declared, derived and seen."""

from __future__ import annotations

from typing import Annotated, Any, cast

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import messages, set_mesh, unknown, weight
from tests.zoo import state
from typedstate import (
    Abstract,
    Placed,
    PlacedBy,
    SchemaError,
    Shardings,
    Specs,
    TypedState,
    abstract,
    diff,
    explain,
    fits,
    shardings,
    show,
    specs,
    to_source,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")
p: Any = P
SUMS = p("x", None, unreduced={"y"})


class SumState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "a b"]], SUMS]


class WholeState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "a b"]], P("x", None)]


class LogicalState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "a b"]], p("embed", None, unreduced={"batch"})]


RULES = (("embed", "x"), ("batch", "y"))


def mesh_of(kind: AxisType = AxisType.Explicit) -> jax.sharding.Mesh:
    return jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind,) * 2)


def partial_sum(mesh: jax.sharding.Mesh) -> Any:
    """A product whose sum over ``y`` is still to be made; skips where this JAX makes none."""
    left = jax.device_put(jnp.ones((4, 4)), NamedSharding(mesh, P("x", "y")))
    right = jax.device_put(jnp.ones((4, 4)), NamedSharding(mesh, P("y", None)))
    with set_mesh(mesh):

        def product(a: Any, b: Any) -> Any:
            return cast(Any, jnp).einsum("ij,jk->ik", a, b, out_sharding=SUMS)

        try:
            return jax.jit(product)(left, right)
        except Exception as error:
            pytest.skip(f"this JAX leaves no sums to be made: {error}")


def test_declared_sums_stand_in_specs_and_shardings() -> None:
    mesh = mesh_of()
    assert specs(SumState)["w"] == p("x", unreduced={"y"})
    assert shardings(SumState, mesh, a=4, b=4)["w"].spec == p("x", unreduced={"y"})
    tree = abstract(SumState, mesh=mesh, dtype=jnp.float32, a=4, b=4)
    held: Any = jax.tree.leaves(tree)[0]
    assert held.sharding.spec == p("x", unreduced={"y"})
    assert fits(tree, Abstract[SumState])
    assert specs(LogicalState, rules=RULES)["w"] == p("x", unreduced={"y"})


def test_sums_over_what_the_mesh_does_not_have() -> None:
    class NoAxisState(TypedState):
        w: Annotated[nnx.Param[Float[Array, "a b"]], p("x", None, unreduced={"z"})]

    with pytest.raises(SchemaError) as caught:
        shardings(NoAxisState, mesh_of(), a=4, b=4)
    assert str(caught.value) == (
        "shardings(NoAxisState) can't be made:\n"
        "  w: expected axes of the mesh (x=4, y=2), found 'z' in P('x', unreduced={'z'})"
    )


def test_shardings_are_compared_with_declared_sums() -> None:
    assert fits(shardings(SumState, mesh_of(), a=4, b=4), Shardings[SumState])
    assert fits(specs(SumState), Specs[SumState])
    for tree, hint, text in (
        (
            shardings(WholeState, mesh_of(), a=4, b=4),
            Shardings[SumState],
            "w: expected P('x', unreduced={'y'}), found P('x') [sharding]",
        ),
        (
            specs(SumState),
            Specs[WholeState],
            "w: expected P('x'), found P('x', unreduced={'y'}) [sharding]",
        ),
    ):
        assert messages(explain(tree, hint)) == [text]


def test_metadata_that_speaks_of_sums_is_compared() -> None:
    value = jnp.ones((4, 4))
    said = weight(value, sharding=SUMS, eager_sharding=False)
    silent = weight(value, "x", None)
    plain = weight(value, sharding=P("x", None), eager_sharding=False)
    for _ in range(3):
        assert fits(said, SumState)
        assert fits(silent, SumState)
        assert messages(explain(plain, SumState)) == [
            "w: expected P('x', unreduced={'y'}), found P('x') [sharding]"
        ]
        assert messages(explain(said, WholeState)) == [
            "w: expected P('x'), found P('x', unreduced={'y'}) [sharding]"
        ]


def test_an_array_with_partial_sums_is_placed() -> None:
    mesh = mesh_of()
    value = partial_sum(mesh)
    tree = weight(value, "x", None)
    whole = weight(jax.device_put(jnp.ones((4, 4)), NamedSharding(mesh, P("x", None))), "x", None)
    for _ in range(3):
        assert fits(tree, Placed[SumState])
        assert messages(explain(tree, Placed[WholeState])) == [
            "w: expected P('x'), found partial sums over 'y' [sharding]"
        ]
        assert fits(whole, Placed[WholeState])
        assert messages(explain(whole, Placed[SumState])) == [
            "w: expected P('x', unreduced={'y'}), found P('x') [sharding]"
        ]
    logical = weight(value, "embed", None)
    assert fits(logical, PlacedBy[LogicalState, RULES])
    raw = state({"w": value})

    class RawState(TypedState):
        w: Float[Array, "a b"]

    assert fits(raw, Placed[RawState])


def test_a_tracer_with_partial_sums_is_placed() -> None:
    mesh = mesh_of()
    value = partial_sum(mesh)
    seen: list[list[str]] = []

    @jax.jit
    def look(one: Any) -> Any:
        tree = weight(one, "x", None)
        for hint in (SumState, WholeState):
            report = explain(tree, Placed[hint])
            seen.append([*messages(report), *map(str, report.unknown)])
        return jnp.zeros(())

    with set_mesh(mesh):
        look(value)
    wrong = "w: expected P('x'), found partial sums over 'y' [sharding]"
    assert seen == [[], [wrong]]


def test_over_auto_axes_a_tracer_does_not_show_sums() -> None:
    mesh = mesh_of(AxisType.Auto)
    value = jax.device_put(jnp.ones((4, 4)), NamedSharding(mesh, P("x", None)))
    seen: list[list[str]] = []

    @jax.jit
    def look(one: Any) -> Any:
        seen.append(unknown(explain(weight(one, "x", None), Placed[SumState])))
        return one

    with set_mesh(mesh):
        look(value)
    assert seen == [["w: 'x' is Auto: a tracer does not show it (P('x', unreduced={'y'}))"]]


def test_an_array_without_a_mesh_has_no_sums() -> None:
    tree = weight(jnp.ones((4, 4)), "x", None)
    assert messages(explain(tree, Placed[SumState])) == [
        "w: expected P('x', unreduced={'y'}), found an array on one device [sharding]"
    ]


def test_sums_are_drawn_written_and_compared() -> None:
    assert str(show(SumState)) == (
        "SumState: 1 leaf\n└─ w: Param[Float[Array, \"a b\"]] P('x', unreduced={'y'})"
    )
    assert 'P("x", unreduced={"y"})' in to_source(SumState)
    assert [str(change) for change in diff(WholeState, SumState).changes] == [
        "~ w: sharding was P('x'), is P('x', unreduced={'y'}) [breaks forward and backward]"
    ]
