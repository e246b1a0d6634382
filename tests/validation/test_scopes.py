"""Whose names are whose: occurrences, `Bind`, `Scoped`, maps and calls."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.validation.sizes import linear, lines, ones
from tests.zoo import LinearState, MlpState, state
from typedstate import Bind, Entries, Scoped, StateMap, StateOf, TypedState, explain, fits


class Twice(TypedState):
    one: LinearState
    two: LinearState


def test_each_occurrence_of_a_schema_has_its_own_names() -> None:
    report = explain(state({"one": linear(2, 3), "two": linear(4, 5)}), Twice)
    assert report
    assert report.dims == {}
    assert lines(
        state({"one": linear(2, 3), "two": {"kernel": ones(2, 3), "bias": ones(4)}}), Twice
    ) == ["two.bias: dout is 4, but dout=3 from two.kernel, axis 1 [dim]"]


def test_each_entry_of_a_map_has_its_own_names() -> None:
    found = state({0: linear(2, 3), 1: linear(4, 5)})
    assert fits(found, StateMap[int, LinearState])
    assert fits(found, Entries[LinearState, LinearState])


def test_names_in_a_bare_leaf_of_a_map_are_shared_by_its_entries() -> None:
    found = state({"a": ones(2), "b": ones(2), "c": ones(3)})
    assert lines(found, StateMap[str, nnx.Param[Float[Array, "n"]]]) == [
        "c: n is 3, but n=2 from a, axis 0 [dim]"
    ]
    assert lines(found, StateOf[nnx.Param[Float[Array, "n"]]]) == [
        "c: n is 3, but n=2 from a, axis 0 [dim]"
    ]
    assert fits(found, StateMap[str, nnx.Param[Float[Array, "?n"]]])
    assert fits(found, StateOf[nnx.Param[Float[Array, "?n"]]])


class Linked(TypedState):
    up: Bind[LinearState, "din=d dout=4*d"]
    down: Bind[LinearState, "din=4*d dout=d"]
    fixed: Bind[LinearState, "din=3 dout"]
    norm: nnx.Param[Float[Array, "d"]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        (
            {"up": linear(2, 9)},
            [
                "up.kernel: dout is 9, but 4*d=8 with d=2 from up.kernel, axis 0 [dim]",
                "up.bias: dout is 9, but 4*d=8 with d=2 from up.kernel, axis 0 [dim]",
            ],
        ),
        (
            {"norm": ones(5)},
            ["norm: d is 5, but d=2 from up.kernel, axis 0 [dim]"],
        ),
        (
            {"fixed": linear(4, 7)},
            ["fixed.kernel: expected 3 on axis 0, found 4 [size]"],
        ),
        (
            {"down": {"kernel": ones(8, 3), "bias": ones(2)}},
            ["down.kernel: dout is 3, but d=2 from up.kernel, axis 0 [dim]"],
        ),
    ],
)
def test_bind_links_renames_and_fixes(change: dict[str, Any], expected: list[str]) -> None:
    tree = {"up": linear(2, 8), "down": linear(8, 2), "fixed": linear(3, 7), "norm": ones(2)}
    assert lines(state({**tree, **change}), Linked) == expected


def test_bind_of_bind_goes_through_both() -> None:
    found = state(linear(2, 8))
    inner = Bind[LinearState, "din=d dout=4*d"]
    assert explain(found, Bind[inner, "d=width"]).dims == {"width": 2}
    assert explain(found, Bind[inner, "d=2"]).dims == {}
    assert lines(found, Bind[inner, "d=3"]) == [
        "kernel: expected 3 on axis 0, found 2 [size]",
        "kernel: expected 12 on axis 1, found 8 [size]",
        "bias: expected 12 on axis 0, found 8 [size]",
    ]


def test_bind_of_a_renamed_name_keeps_the_rest_of_the_schema_apart() -> None:
    class Swapped(TypedState):
        a: Bind[LinearState, "din=dout dout=din"]
        b: LinearState

    report = explain(state({"a": linear(2, 3), "b": linear(5, 6)}), Swapped)
    assert report.dims == {"dout": 2, "din": 3}


def test_dims_reach_through_several_levels() -> None:
    class Deep(TypedState):
        layers: Bind[StateMap[int, Bind[MlpState, "d hidden=4*d"]], "len=n"]
        head: Bind[LinearState, "din=d dout=n"]

    layer = {"up": linear(2, 8), "down": linear(8, 2)}
    found = state({"layers": {0: layer, 1: layer}, "head": linear(2, 2)})
    assert explain(found, Deep).dims == {"d": 2, "n": 2}
    found = state({"layers": {0: layer, 1: layer}, "head": linear(2, 3)})
    assert lines(found, Deep) == [
        "layers: the number of entries (n) is 2, but n=3 from head.kernel, axis 1 [dim]",
    ]


def test_the_length_of_a_map_is_a_dim() -> None:
    hint = Bind[StateMap[int, LinearState], "len=n"]
    assert explain(state({0: linear(1, 1), 1: linear(2, 2)}), hint).dims == {"n": 2}
    assert explain(nnx.State({}), hint).dims == {"n": 0}
    assert lines(state({0: linear(1, 1)}), Bind[StateMap[int, LinearState], "len=2"]) == [
        "the value: expected 2 entries, found 1 [size]"
    ]
    assert lines(state({0: linear(1, 1), 2: linear(1, 1)}), hint) == [
        "[1]: missing, expected LinearState (a gap in the keys) [missing]"
    ]
    names = Bind[StateMap[str, LinearState], "len=n"]
    assert explain(state({"a": linear(1, 1), "b": linear(1, 1)}), names).dims == {"n": 2}


class Counted(TypedState):
    layers: Bind[StateMap[int, LinearState], "len=n"]
    scale: nnx.Param[Float[Array, "n"]]


class Wrapped(TypedState):
    inner: Bind[CountedLayers, "n"]
    scale: nnx.Param[Float[Array, "n"]]


class CountedLayers(TypedState):
    layers: Bind[StateMap[int, LinearState], "len=n"]


def test_an_absent_map_has_length_zero() -> None:
    assert fits(state({"scale": ones(0)}), Counted)
    expected = "missing, expected StateMap[int, LinearState] (absent only where n is 0) [missing]"
    assert lines(state({"scale": ones(2)}), Counted) == [f"layers: {expected}"]
    assert fits(state({"scale": ones(0)}), Wrapped)
    assert lines(state({"scale": ones(2)}), Wrapped) == [f"inner.layers: {expected}"]


def test_an_absent_optional_map_has_no_length() -> None:
    class Optional(TypedState):
        layers: Bind[StateMap[int, LinearState], "len=n"] | None
        scale: nnx.Param[Float[Array, "n"]]

    assert fits(state({"scale": ones(2)}), Optional)


def test_entries_that_need_no_leaf_leave_the_length_open() -> None:
    class Maybe(TypedState):
        bias: nnx.Param | None

    hint = Bind[StateMap[int, Maybe], "len=3"]
    assert fits(state({1: {"bias": ones(2)}}), hint)
    assert fits(nnx.State({}), hint)


def test_the_outermost_names_belong_to_the_call() -> None:
    hint = tuple[LinearState, Float[Array, "batch din"], Scoped[LinearState, "other"]]
    found = (state(linear(2, 3)), jnp.ones((7, 2)), state(linear(4, 5)))
    assert explain(found, hint).dims == {"din": 2, "dout": 3, "batch": 7}
    assert lines((state(linear(2, 3)), jnp.ones((7, 4)), state(linear(4, 5))), hint) == [
        "[1]: din is 4, but din=2 from [0].kernel, axis 0 [dim]"
    ]
    assert lines([state(linear(2, 3)), state(linear(2, 4))], list[LinearState]) == [
        "[1].kernel: dout is 4, but dout=3 from [0].kernel, axis 1 [dim]",
        "[1].bias: dout is 4, but dout=3 from [0].kernel, axis 1 [dim]",
    ]


def test_scoped_keeps_names_apart_but_one_scope_is_one() -> None:
    found = [state(linear(2, 3)), state(linear(4, 5)), state(linear(4, 5))]
    a, b = Scoped[LinearState, "a"], Scoped[LinearState, "b"]
    assert fits(tuple(found), tuple[a, b, b])
    assert not fits(tuple(found), tuple[a, a, b])
    assert fits(tuple(found), tuple[LinearState, b, b])
    assert not fits(tuple(found), tuple[LinearState, b, LinearState])


def test_a_bind_over_a_scoped_schema_links_what_it_names() -> None:
    hint = tuple[LinearState, Bind[Scoped[LinearState, "teacher"], "din"]]
    assert fits((state(linear(2, 3)), state(linear(2, 9))), hint)
    assert not fits((state(linear(2, 3)), state(linear(4, 9))), hint)
