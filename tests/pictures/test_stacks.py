"""`show` of stacks within stacks: each axis has a name and a colour of its own."""

from __future__ import annotations

from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from tests.pictures.test_pictures import drawn_dims
from typedstate import Bind, Stacked, TypedState, show
from typedstate.layers import LinearState


class Kernel(TypedState):
    kernel: nnx.Param[Float[Array, "n d"]]


class Inner(TypedState):
    inner: Stacked[Kernel, "d"]


class Outer(TypedState):
    outer: Stacked[Inner, "d"]


class Whole(TypedState):
    whole: Stacked[Outer, "n"]
    other: nnx.Param[Float[Array, "n"]]


def test_axes_of_one_name_that_are_several_dims_are_told_apart() -> None:
    assert str(show(Whole)) == (
        "Whole: 2 leaves\n"
        "├─ whole: Stacked[Outer, 'n']\n"
        "│  └─ outer: Stacked[Stacked[Inner, 'd'], 'n']\n"
        "│     └─ inner: Stacked[Stacked[Stacked[Kernel, 'd'], 'd'], 'n']\n"
        '│        └─ kernel: Param[Float[Array, "n2 d2 d3 n d"]]\n'
        '└─ other: Param[Float[Array, "n"]]'
    )


def test_they_have_the_colours_of_their_dims() -> None:
    colours = drawn_dims(Whole)
    assert set(colours) == {
        *("n", "d of whole", "d of whole.outer"),
        *("n of whole.outer.inner", "d of whole.outer.inner"),
    }
    assert len({min(found) for found in colours.values()}) == 5
    assert all(len(found) == 1 for found in colours.values())


def test_axes_that_are_one_dim_have_one_name() -> None:
    """At the top a name is the call's, whichever stack has it."""
    hint: Any = Stacked[Stacked[LinearState, "n"], "n"]
    assert str(show(hint)).splitlines()[0] == "Stacked[Stacked[LinearState, 'n'], 'n']: 2 leaves"
    assert '"n n din dout"' in str(show(hint))
    assert set(drawn_dims(hint)) == {"n", "din", "dout"}


def test_a_link_says_what_the_title_does_not() -> None:
    hint: Any = Bind[Stacked[Stacked[LinearState, "n"], "m"], "n=2 m=k"]
    assert str(show(hint)).startswith("Stacked[Stacked[LinearState, 'n'], 'm'] m=k n=2: 2 leaves")
