"""What may stand behind the colon: every row of the table, accepted and refused."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from tests import zoo
from tests.annotations.leaf_table import ROWS, matrix, one
from tests.zoo import LinearState, state
from typedstate import Alias, Shared, StateMap, TypedState, explain, fits
from typedstate.doctor.constructs import CONSTRUCTS
from typedstate.doctor.guard import outcome


def _stored(value: Any) -> Any:
    return zoo.stored(value)


def holder(hint: Any) -> Any:
    """A schema with one field of this hint."""
    return type(TypedState)(
        "Holder", (TypedState,), {"__module__": __name__, "__annotations__": {"x": hint}}
    )


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_takes_and_refuses(row: str) -> None:
    hint, fitting, wrong = ROWS[row]
    schema = holder(hint)
    for value in fitting:
        report = explain(state({"x": value}), schema)
        assert report, report
        assert isinstance(state({"x": value}), schema)
    for value, code in wrong:
        report = explain(state({"x": value}), schema)
        assert code in [violation.code for violation in report.violations], (value, report)
        assert not isinstance(state({"x": value}), schema)


@pytest.mark.parametrize("row", [row for row in ROWS if row not in ("any State", "another key")])
def test_the_same_hint_holds_at_a_boundary(row: str) -> None:
    hint, fitting, wrong = ROWS[row]
    for value in fitting:
        assert fits(_stored(value), hint), explain(_stored(value), hint)
    for value, _ in wrong:
        if row in ("a numpy array", "a Python float"):  # beartype's, which knows no notes
            assert not fits(_stored(value), hint)
            continue
        assert not explain(_stored(value), hint), (value, hint)


def test_what_may_be_absent() -> None:
    class Optional(TypedState):
        bias: nnx.Param | None
        inner: LinearState | None
        anything: Any
        many: StateMap[int, LinearState] | None
        hidden: Annotated[nnx.Param, Shared("bias")]
        needless: NeedsNothing

    assert fits(nnx.State({}), Optional)
    assert fits(state({"bias": nnx.Param(one)}), Optional)
    assert not fits(state({"hidden": nnx.Param(one)}), Optional)
    assert not fits(state({"needless": {"a": nnx.Cache(one)}}), Optional)


class NeedsNothing(TypedState):
    a: nnx.Param | None


@pytest.mark.parametrize("key", ["values", 0, ("kernel", "sigma"), "not an identifier", ""])
def test_an_alias_is_the_key(key: Any) -> None:
    schema = holder(Annotated[nnx.Param[Float[Array, "n"]], Alias(key)])
    assert fits(state({key: nnx.Param(one)}), schema)
    report = explain(nnx.State({}), schema)
    assert [found.keys for found in report.violations] == [(key,)]
    assert not fits(state({"x": nnx.Param(one)}), schema)


@pytest.mark.parametrize(
    "hint",
    [
        Annotated[nnx.Param[Float[Array, "a b"]] | None, P("x"), Alias("k")],
        Annotated[nnx.Param[Float[Array, "a b"]], P("x"), Alias("k")] | None,
    ],
)
def test_an_optional_field_has_metadata_inside_or_around(hint: Any) -> None:
    schema = holder(hint)
    assert fits(nnx.State({}), schema)
    assert fits(nnx.State({"k": zoo.named(nnx.Param, matrix, "x")}), schema)
    assert not fits(nnx.State({"k": zoo.named(nnx.Param, matrix, "y")}), schema)


def test_extra_keys_are_forbidden_allowed_or_typed() -> None:
    class Forbid(TypedState):
        kernel: nnx.Param

    class Allow(TypedState, extra="allow"):
        kernel: nnx.Param

    class Typed(TypedState, extra={"layers_{}": LinearState, "x{}y": nnx.Cache}):
        kernel: nnx.Param

    kernel = {"kernel": nnx.Param(one)}
    layer = {"kernel": nnx.Param(matrix)}
    for tree, wanted in (
        ({}, (True, True, True)),
        ({"layers_0": layer}, (False, True, True)),
        ({"layers_0": layer, "layers_x.y": layer, "x1y": nnx.Cache(one)}, (False, True, True)),
        ({"layers_": layer}, (False, True, False)),
        ({"layers_0": {}}, (False, True, False)),
        ({"other": layer}, (False, True, False)),
        ({0: layer}, (False, True, False)),
    ):
        found = state({**kernel, **tree})
        assert (fits(found, Forbid), fits(found, Allow), fits(found, Typed)) == wanted, tree


@pytest.mark.parametrize(
    "name", ["Param as a reference", "Param as hijax", "Param as hijax reference"]
)
def test_a_leaf_is_of_the_kind_and_value_that_it_stands_for(name: str) -> None:
    build = next(construct.build for construct in CONSTRUCTS if construct.name == name)
    try:
        found = nnx.state(build())
    except (AttributeError, TypeError, ValueError) as error:
        pytest.skip(f"not on this pair of Flax and JAX: {error}")
    right, *wrong = (
        holder(nnx.Param[Float[Array, "2"]]),
        holder(nnx.Param[Float[Array, "a b"]]),
        holder(nnx.Param[Float[Array, "3"]]),
        holder(nnx.Param[Int[Array, "2"]]),
        holder(nnx.Cache),
    )

    def ask(state: Any) -> Any:
        assert explain(state, right), explain(state, right)
        assert isinstance(state, right)
        for schema in wrong:
            assert not explain(state, schema)
            assert not isinstance(state, schema)
        return 0

    ask(found)
    if not outcome(lambda: str(jax.make_jaxpr(lambda _: 0)(found))).startswith("raises "):
        jax.make_jaxpr(ask)(found)
