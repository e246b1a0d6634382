"""Dims as text: the grammar of jaxtyping, and how they are shown."""

from __future__ import annotations

import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.validation.sizes import ones
from typedstate import fits
from typedstate._spec.dim_grammar import parse_dim, parse_expr, parse_shape, show_expr, show_shape


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
        ("d/2 d", [(2, 4)], [(2, 5), (3, 4)]),
        ("d/2", [(4,)], []),
        ("d//k d k", [(2, 4, 2)], [(2, 4, 0)]),
        ("min(a,b) a b", [(2, 3, 2), (2, 2, 3)], [(3, 2, 3)]),
        ("max(a,b,4) a b", [(5, 3, 5), (4, 2, 3)], [(3, 2, 3)]),
        ("in out in", [(2, 3, 2)], [(2, 3, 3)]),
        ("2*class_ class_", [(6, 3)], [(6, 2)]),
        ("04 +4 1_0", [(4, 4, 10)], [(0, 4, 10)]),
        ("=4", [(4,)], [(5,)]),
        ("num-heads=4", [(4,)], [(5,)]),
        ("rows=#d d", [(1, 5), (5, 5)], [(2, 5)]),
        ("#rows=d d", [(1, 5), (5, 5)], [(2, 5)]),
        ("all=*b d d", [(3, 3), (1, 2, 3, 3)], [(3,)]),
        ("_*foo d d", [(3, 3), (1, 2, 3, 3)], [(3,)]),
        ("rows=_ d d", [(9, 3, 3)], [(3, 3)]),
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
    [
        "a",
        "2*d",
        "2*(a+b)",
        "a-(b-c)",
        "a-b-c",
        "(a+b)*(c-d)",
        "a//(b*c)",
        "(a//b)*c",
        "a**2-1",
        "a/2+1",
        "min(a,2*b)*3",
        "2//max(a,b)",
    ],
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
        ("abs(a)", "'abs(a)' is neither a size, a name nor arithmetic"),
        ("min(key=a)", "'a)' is neither a size, a name nor arithmetic"),
        ("None", "'None' is neither a size, a name nor arithmetic"),
        ("x=", "'x=' has markers but no name or size"),
        ("x<=4", "'x<=4' is neither a size, a name nor arithmetic"),
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
