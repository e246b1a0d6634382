"""How names get their sizes, and where a size came from."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float, Int

from tests.validation.sizes import linear, lines, ones
from tests.zoo import LinearState, state
from typedstate import Bind, SchemaError, StateMap, TypedState, explain, fits, source_of


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


def test_of_alternatives_that_agree_the_first_counts() -> None:
    """Names outside of unions are bound before; no decision of an earlier union is taken back."""
    first = Float[Array, "a"] | Float[Array, "b"]
    turned = Float[Array, "b"] | Float[Array, "a"]
    later = Float[Array, "a"] | Float[Array, "2*a"]
    assert explain((jnp.ones(2), jnp.ones(4)), tuple[first, later]).dims == {"a": 2}
    assert lines((jnp.ones(2), jnp.ones(3)), tuple[first, later]) == [
        "[1]: a is 3, but a=2 from [0], axis 0 [dim]"
    ]
    assert explain((jnp.ones(2), jnp.ones(3)), tuple[turned, later]).dims == {"b": 2, "a": 3}
    assert explain((jnp.ones(3), jnp.ones(2)), tuple[later, first]).dims == {"a": 3, "b": 2}
    bound = tuple[first, Float[Array, "a"]]
    assert explain((jnp.ones(2), jnp.ones(3)), bound).dims == {"a": 3, "b": 2}
