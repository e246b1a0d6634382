"""Dimensions: grammar, whose names are whose, binding, solving, and where a size came from."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float, Int
from zoo import LinearState, MlpState, state

from typedstate import (
    Bind,
    Entries,
    SchemaError,
    Scoped,
    StateMap,
    StateOf,
    TypedState,
    explain,
    fits,
    source_of,
)
from typedstate._spec.dim_grammar import parse_dim, parse_expr, parse_shape, show_expr, show_shape


def linear(din: int, dout: int) -> dict[str, Any]:
    return {"kernel": nnx.Param(jnp.ones((din, dout))), "bias": nnx.Param(jnp.ones(dout))}


def ones(*shape: int) -> Any:
    return nnx.Param(jnp.ones(shape))


def lines(value: object, hint: Any, **dims: int) -> list[str]:
    return [str(found) for found in explain(value, hint, dims=dims).violations]


@pytest.mark.parametrize(
    ("dims", "fitting", "wrong"),
    [
        ("", [()], [(1,)]),
        ("4", [(4,)], [(5,), (4, 4)]),
        ("d", [(0,), (7,)], [(), (1, 1)]),
        ("d d", [(3, 3)], [(3, 4)]),
        ("_", [(1,), (9,)], [(), (1, 1)]),
        ("_foo _foo", [(1, 2)], [(1,)]),
        ("...", [(), (1,), (1, 2, 3)], []),
        ("... d", [(3,), (1, 2, 3)], [()]),
        ("a ... b", [(1, 2), (1, 5, 5, 2)], [(1,)]),
        ("*b d d", [(3, 3), (1, 2, 3, 3)], [(3,), (1, 3, 4)]),
        ("#d d", [(1, 5), (5, 5), (1, 1)], [(2, 5)]),
        ("#d #d", [(1, 5), (5, 1), (5, 5)], [(4, 5)]),
        ("2*d d", [(6, 3)], [(7, 3)]),
        ("4*d", [(8,)], [(7,)]),
        ("d+1 d", [(4, 3)], [(3, 3)]),
        ("d-1 d", [(2, 3)], [(3, 3)]),
        ("d//2 d", [(2, 4), (2, 5)], [(3, 4)]),
        ("d%2 d", [(1, 5)], [(0, 5)]),
        ("d**2 d", [(9, 3)], [(8, 3)]),
        ("2*(a+b) a b", [(6, 1, 2)], [(7, 1, 2)]),
        ("2*(a+b)+c a b", [(7, 1, 2)], [(5, 1, 2)]),
        ("2*3", [(6,)], [(5,)]),
        ("rows=4", [(4,)], [(5,)]),
        ("?d ?d", [(3, 3)], [(3, 4)]),
        ("*#b b2", [(1, 2, 3), (3,)], [()]),
        ("#4", [(1,), (4,)], [(2,)]),
    ],
)
def test_the_grammar_of_jaxtyping(
    dims: str, fitting: list[tuple[int, ...]], wrong: list[tuple[int, ...]]
) -> None:
    hint = nnx.Param[Float[Array, dims]]
    for shape in fitting:
        assert fits(ones(*shape), hint), shape
    for shape in wrong:
        assert not fits(ones(*shape), hint), shape


@pytest.mark.parametrize(
    "text",
    ["a", "2*d", "2*(a+b)", "a-(b-c)", "a-b-c", "(a+b)*(c-d)", "a//(b*c)", "(a//b)*c", "a**2-1"],
)
def test_an_expression_is_shown_so_that_it_parses_to_the_same(text: str) -> None:
    assert parse_expr(show_expr(parse_expr(text))) == parse_expr(text)


@pytest.mark.parametrize("text", ["", "a b", "... d", "#a *batch", "?x 4*d", "?#y *z", "_ 3"])
def test_a_shape_is_shown_as_it_was_written(text: str) -> None:
    assert show_shape(parse_shape(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a-", "'a-' is neither a size, a name nor arithmetic"),
        ("a.b", "'a.b' is neither a size, a name nor arithmetic"),
        ("f(a)", "'f(a)' is neither a size, a name nor arithmetic"),
        ("-1", "'-1' is neither a size, a name nor arithmetic"),
        ("1.5", "'1.5' is neither a size, a name nor arithmetic"),
        ("True", "'True' is neither a size, a name nor arithmetic"),
        ("a/2", "'a/2': '/' gives no size; write '//'"),
        ("{n}", "'{n}': braces read the arguments of a call; give the size by dims="),
        ("#", "'#' has markers but no name or size"),
        ("*4", "'*4': '*' wants a name, not '4'"),
        ("*a+b", "'*a+b': '*' wants a name, not 'a+b'"),
    ],
)
def test_what_is_no_dimension(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        parse_dim(text)
    assert str(error.value) == message


def test_only_one_run_of_axes_can_be_solved() -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        parse_shape("*a b *c")
    assert str(error.value) == (
        "'*a b *c' has more than one '...' or '*name': at most one can be solved"
    )


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
        "the value: expected 2, found 1 [size]"
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
    assert lines(state({"scale": ones(2)}), Counted) == ["scale: n is 2, but n=0 from layers [dim]"]
    assert fits(state({"scale": ones(0)}), Wrapped)
    assert lines(state({"scale": ones(2)}), Wrapped) == [
        "scale: n is 2, but n=0 from inner.layers [dim]"
    ]


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


def test_names_are_bound_first_and_expressions_solved_after() -> None:
    hint = tuple[Float[Array, "4*d"], Float[Array, "d"]]
    assert fits((jnp.ones(8), jnp.ones(2)), hint)
    assert lines((jnp.ones(9), jnp.ones(2)), hint) == [
        "[0]: 4*d is 9, but 4*d=8 with d=2 from [1], axis 0 [dim]"
    ]


@pytest.mark.parametrize(
    ("dims", "shape", "solved"),
    [
        ("4*d", (8,), {"d": 2}),
        ("heads*hd hd", (12, 4), {"heads": 3, "hd": 4}),
        ("2*(inner+n)+h n h", (21, 3, 5), {"inner": 5, "n": 3, "h": 5}),
        ("a+b b+c c", (5, 4, 1), {"a": 2, "b": 3, "c": 1}),
        ("d-3", (4,), {"d": 7}),
        ("10-d", (4,), {"d": 6}),
        ("d+d", (8,), {"d": 4}),
    ],
)
def test_an_expression_with_one_open_name_solves_it(
    dims: str, shape: tuple[int, ...], solved: dict[str, int]
) -> None:
    assert explain(ones(*shape), nnx.Param[Float[Array, dims]]).dims == solved


@pytest.mark.parametrize(
    ("dims", "shape", "expected"),
    [
        ("4*d", (9,), "the value: 4*d is 9, but no d makes 4*d that [dim]"),
        ("d+5", (3,), "the value: d+5 is 3, but no d makes d+5 that [dim]"),
        (
            "heads*hd hd",
            (13, 4),
            "the value: heads*hd is 13, but no heads makes heads*hd that [dim]",
        ),
        (
            "d//2 d",
            (3, 4),
            "the value: d//2 is 3, but d//2=2 with d=4 from the value, axis 1 [dim]",
        ),
    ],
)
def test_what_no_natural_number_solves_is_a_violation(
    dims: str, shape: tuple[int, ...], expected: str
) -> None:
    assert lines(ones(*shape), nnx.Param[Float[Array, dims]]) == [expected]


@pytest.mark.parametrize(
    ("dims", "shape", "text"),
    [
        ("d//16", (3,), "d//16 of size 3 has open names"),
        ("a*b", (6,), "a*b of size 6 has open names"),
        ("d**2", (9,), "d**2 of size 9 has open names"),
        ("d*d", (9,), "d*d of size 9 has open names"),
        ("a%b b", (1, 0), "a%b of size 1 has open names"),
        ("0*d", (0,), "0*d of size 0 has open names"),
    ],
)
def test_what_stays_open_is_unknown_and_no_error(
    dims: str, shape: tuple[int, ...], text: str
) -> None:
    report = explain(ones(*shape), nnx.Param[Float[Array, dims]])
    assert report
    assert [found.text for found in report.unknown] == [text]
    assert text in str(report)


def test_given_dims_are_not_up_for_a_vote() -> None:
    found = state(linear(2, 3))
    assert fits(found, LinearState, dims={"din": 2})
    assert explain(found, LinearState, dims={"din": 2, "dout": 3}).dims == {"din": 2, "dout": 3}
    assert lines(found, LinearState, dout=8) == [
        "kernel: dout is 3, but dout=8 as given by dims= [dim]",
        "bias: dout is 3, but dout=8 as given by dims= [dim]",
    ]
    heads = nnx.Param[Float[Array, "heads*hd"]]
    assert explain(ones(12), heads, dims={"heads": 3}).dims == {"heads": 3, "hd": 4}


class Size(enum.IntEnum):
    SMALL = 2
    LARGE = 4


def test_generated_code_knows_the_given_dims() -> None:
    class HeadsState(TypedState):
        kernel: nnx.Param[Float[Array, "heads*hd"]]

    four, six = (state({"kernel": ones(n)}) for n in (4, 6))
    for _ in range(3):
        assert fits(four, HeadsState, dims={"heads": 2})
        assert fits(four, HeadsState, dims={"heads": Size.LARGE})
        assert fits(six, HeadsState, dims={"heads": 3})
        assert not fits(six, HeadsState, dims={"heads": 4})
        assert not fits(four, HeadsState, dims={"heads": 3})
        assert HeadsState.of(six, dims={"heads": Size.SMALL}) is six
        assert fits(six, HeadsState)
    assert source_of(HeadsState).count("def read") == 4
    for size in range(1, 50):
        assert fits(state({"kernel": ones(2 * size)}), HeadsState, dims={"heads": size})
    assert len(vars(HeadsState)["__typedstate_given__"]) <= 16


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({"width": 3}, "LinearState has no dim 'width': it has din, dout"),
        ({"din": -1}, "dims={'din': -1}: a size is a natural number"),
        ({"din": 1.5}, "dims={'din': 1.5}: a size is a natural number"),
        ({"din": True}, "dims={'din': True}: a size is a natural number"),
        ({"din": [1]}, "dims={'din': [1]}: a size is a natural number"),
    ],
)
def test_given_dims_that_mean_nothing_are_a_mistake(dims: dict[str, Any], message: str) -> None:
    for size in (1, 2, 2):
        fits(state(linear(size, size)), LinearState, dims={"din": size})  # now it knows some
    with pytest.raises(SchemaError) as error:
        explain(state(linear(2, 3)), LinearState, dims=dims)
    assert str(error.value) == message


def test_the_size_that_most_leaves_agree_on_is_the_right_one() -> None:
    found = state({"a": ones(9), "b": ones(2), "c": ones(2)})
    assert lines(found, StateMap[str, nnx.Param[Float[Array, "n"]]]) == [
        "a: n is 9, but n=2 from b, axis 0 [dim]"
    ]


def test_runs_of_axes_agree_too() -> None:
    hint = tuple[Float[Array, "*batch d"], Int[Array, "*batch"]]
    assert explain((jnp.ones((2, 3, 4)), jnp.ones((2, 3), "int32")), hint).dims == {
        "batch": (2, 3),
        "d": 4,
    }
    assert lines((jnp.ones((2, 3, 4)), jnp.ones((2,), "int32")), hint) == [
        "[1]: *batch is (2,), but batch=(2,3) from [0], axis 0 [dim]"
    ]


def test_a_run_may_be_renamed_by_bind() -> None:
    class Cache(TypedState):
        seen: nnx.Cache[Float[Array, "*batch d"]]

    hint = tuple[Bind[Cache, "batch=shape"], Float[Array, "*shape"]]
    found = state({"seen": nnx.Cache(jnp.ones((2, 3, 4)))})
    assert explain((found, jnp.ones((2, 3))), hint).dims == {"shape": (2, 3), "d": 4}
    assert not fits((found, jnp.ones((3, 2))), hint)


def test_a_name_and_a_run_of_that_name_are_two() -> None:
    assert fits((jnp.ones((2, 3)), jnp.ones(5)), tuple[Float[Array, "*d"], Float[Array, "d"]])


def test_a_broadcast_size_agrees_with_the_others_of_its_name() -> None:
    hint = tuple[Float[Array, "#n"], Float[Array, "n"], Float[Array, "*#m"], Float[Array, "*m"]]
    assert fits((jnp.ones(1), jnp.ones(3), jnp.ones((1, 2)), jnp.ones((5, 2))), hint)
    assert fits((jnp.ones(3), jnp.ones(3), jnp.ones(2), jnp.ones((5, 2))), hint)
    assert not fits((jnp.ones(2), jnp.ones(3), jnp.ones(2), jnp.ones((5, 2))), hint)
    assert not fits((jnp.ones(3), jnp.ones(3), jnp.ones(3), jnp.ones((5, 2))), hint)


def test_of_a_union_the_alternative_whose_dims_agree_is_taken() -> None:
    class Either(TypedState):
        kernel: nnx.Param[Float[Array, "din dout"]] | nnx.Param[Float[Array, "dout din"]]
        scale: nnx.Param[Float[Array, "din"]]

    assert fits(state({"kernel": ones(2, 3), "scale": ones(2)}), Either)
    assert explain(state({"kernel": ones(2, 3), "scale": ones(3)}), Either).dims == {
        "din": 3,
        "dout": 2,
    }
    assert lines(state({"kernel": ones(2, 3), "scale": ones(5)}), Either) == [
        "kernel: din is 2, but din=5 from scale, axis 0 [dim]"
    ]


def test_a_leaf_that_is_annotated_by_its_value_has_dims_too() -> None:
    class Streams(TypedState):
        count: Annotated[nnx.RngCount, Int[Array, "n"] | Float[Array, "n"]]
        scale: nnx.Param[Float[Array, "n"]]

    found = state({"count": nnx.RngCount(jnp.ones(3, "int32")), "scale": ones(4)})
    assert lines(found, Streams) == ["scale: n is 4, but n=3 from count, axis 0 [dim]"]
