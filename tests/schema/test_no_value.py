"""Declarations that no value can satisfy: schemas without an end, sizes below zero."""

from __future__ import annotations

import pytest
from flax import nnx

from tests.schema.test_schema_errors import declare
from tests.zoo import LinearState
from typedstate import Bind, SchemaError, TypedState


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("w: nnx.Param; child: 'S'", "child"),
        ("w: nnx.Param; child: 'Entries[S, None]'", "child"),
        ("w: nnx.Param; all: \"Bind[StateMap[int, 'S'], 'len=2']\"", "all"),
        ("w: nnx.Param; one: 'S | Entries[S]'", "one"),
    ],
)
def test_a_schema_that_no_tree_can_end(source: str, name: str) -> None:
    with pytest.raises(SchemaError) as error:
        declare(source)
    text = f"every S would need another in it, without end; where it may be absent write {name}"
    assert str(error.value) == f"S.{name}: {text}: ... | None"


@pytest.mark.parametrize(
    "source",
    [
        "w: nnx.Param; child: 'S | None'",
        "w: nnx.Param; child: 'S | nnx.Param'",
        "w: nnx.Param; children: 'StateMap[int, S]'",
        "w: nnx.Param; children: \"Bind[StateMap[int, 'S'], 'len=n']\"",
        "child: 'S'",
        "w: nnx.Param | None; child: 'S'",
        "w: nnx.Param; below: 'Only[S, nnx.BatchStat]'",
    ],
)
def test_a_schema_of_itself_that_some_tree_ends(source: str) -> None:
    declare(source)


def test_schemas_of_each_other_without_end() -> None:
    class One(TypedState):
        two: Two

    with pytest.raises(SchemaError, match=r"One\.two: every One would need another in it"):

        class Two(TypedState):
            w: nnx.Param
            one: One


@pytest.mark.parametrize("size", ["2-3", "0-1", "1-2*2"])
def test_a_size_below_zero(size: str) -> None:
    with pytest.raises(SchemaError) as error:
        Bind[LinearState, f"din={size}"]
    text = f"Bind[LinearState, 'din={size}']: {size} is no size, as it is below 0"
    assert str(error.value) == text
    body = {"__module__": __name__, "__annotations__": {}}
    with pytest.raises(SchemaError, match=r"is no size, as it is below 0"):
        type(TypedState)("S", (TypedState,), body, extra={f"x_{{len={size}}}": LinearState})
