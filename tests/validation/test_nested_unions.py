"""Schemas that refer to each other by unions are walked in linear time, and as exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, strategies as st
from jaxtyping import Array, Float

from tests import zoo
from tests.agreement import warm
from typedstate import Bind, TypedState, explain
from typedstate._validation import dim_binding
from typedstate._validation.walk import Walk


class Left(TypedState):
    a: nnx.Param[Float[Array, "d"]]
    n: "Left | Right | None"


class Right(TypedState):
    b: nnx.Param[Float[Array, "d"]]
    n: "Left | Right | None"


class Wide(TypedState):
    a: nnx.Param[Float[Array, "d e"]]
    n: "Wide | Square | None"


class Square(TypedState):
    a: nnx.Param[Float[Array, "d d"]]
    n: "Square | Wide | None"


class LinkedLeft(TypedState):
    a: nnx.Param[Float[Array, "d"]]
    n: "Bind[LinkedLeft, 'd'] | Bind[LinkedRight, 'd'] | None"


class LinkedRight(TypedState):
    b: nnx.Param[Float[Array, "d"]]
    n: "Bind[LinkedLeft, 'd'] | Bind[LinkedRight, 'd'] | None"


class Turned(TypedState):
    a: nnx.Param[Float[Array, "d e"]]
    n: "Bind[Turned, 'd=e e=d'] | Bind[TurnedSquare, 'd=e'] | None"


class TurnedSquare(TypedState):
    a: nnx.Param[Float[Array, "d d"]]
    n: "Bind[Turned, 'd e=d'] | Bind[TurnedSquare, 'd'] | None"


class Fed(TypedState):
    """Its entry begins with a size of its own, whichever alternative it is."""

    a: nnx.Param[Float[Array, "d e"]]
    n: "Bind[Fed, 'd=e'] | Bind[FedBack, 'd=e'] | None"


class FedBack(TypedState):
    a: nnx.Param[Float[Array, "f d"]]
    n: "Bind[Fed, 'd=f'] | Bind[FedBack, 'd=f'] | None"


#: The names of each schema's array, and what its entry may be, with what the names stand for.
LINKS: dict[Any, tuple[str, list[tuple[Any, dict[str, str]]]]] = {
    Wide: ("de", [(Wide, {}), (Square, {})]),
    Square: ("dd", [(Square, {}), (Wide, {})]),
    Turned: ("de", [(Turned, {"d": "e", "e": "d"}), (TurnedSquare, {"d": "e"})]),
    TurnedSquare: ("dd", [(Turned, {"d": "d", "e": "d"}), (TurnedSquare, {"d": "d"})]),
    Fed: ("de", [(Fed, {"d": "e"}), (FedBack, {"d": "e"})]),
    FedBack: ("fd", [(Fed, {"d": "f"}), (FedBack, {"d": "f"})]),
}


def is_possible(schema: Any, shapes: list[tuple[int, int]], given: dict[str, int]) -> bool:
    """Whether some choice of alternatives fits, by trying all of them."""
    if not shapes:
        return True
    names, options = LINKS[schema]
    sizes = dict(given)
    if any(
        sizes.setdefault(name, size) != size for name, size in zip(names, shapes[0], strict=True)
    ):
        return False
    return any(
        is_possible(option, shapes[1:], {inner: sizes[outer] for inner, outer in links.items()})
        for option, links in options
    )


def param(*shape: int) -> Any:
    return zoo.leaf(nnx.Param, jnp.ones(shape))


def chain(keys: str, *shape: int) -> dict[str, Any]:
    """A tree of as many levels as there are keys, each of one array of that key."""
    tree: dict[str, Any] = {}
    for key in reversed(keys):
        tree = {key: param(*shape)} | ({"n": tree} if tree else {})
    return tree


def last(tree: dict[str, Any], leaf: Any) -> dict[str, Any]:
    """A tree with another array at its lowest level."""
    return {**tree, "n": last(tree["n"], leaf)} if "n" in tree else {**tree, "a": leaf}


CASES: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "by their keys": (Left, lambda n: chain("ab" * n, 3)),
    "by their sizes": (Wide, lambda n: chain("aa" * n, 3, 3)),
    "by linked sizes": (LinkedLeft, lambda n: chain("ab" * n, 3)),
    "by turned sizes": (Turned, lambda n: chain("aa" * n, 3, 3)),
    "by sizes of their own": (Fed, lambda n: chain("aa" * n, 3, 3)),
    "by sizes of their own, none": (Fed, lambda n: last(chain("aa" * n, 3, 3), param(4, 4))),
    "by turned sizes, none": (Turned, lambda n: last(chain("aa" * n, 3, 3), param(4, 4))),
    "none of them": (Left, lambda n: chain("ab" * (n - 1) + "ac", 3)),
    "by their keys, linked, none": (LinkedLeft, lambda n: chain("ab" * (n - 1) + "ac", 3)),
}


@pytest.mark.parametrize("case", CASES)
def test_twice_the_depth_is_twice_the_work(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, build = CASES[case]
    steps = 0
    walk = Walk.below

    def count(self: Walk, *args: Any, **kwargs: Any) -> None:
        nonlocal steps
        steps += 1
        walk(self, *args, **kwargs)

    monkeypatch.setattr(Walk, "below", count)
    found: list[int] = []
    for depth in (5, 10, 20):
        steps = 0
        explain(build(depth), schema)
        found.append(steps)
    assert found[2] - found[1] <= 2.1 * (found[1] - found[0])


@pytest.mark.parametrize("case", CASES)
def test_twice_the_depth_is_twice_the_decisions(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, build = CASES[case]
    steps = 0
    fits = dim_binding._fits

    def count(*args: Any) -> bool:
        nonlocal steps
        steps += 1
        return fits(*args)

    monkeypatch.setattr(dim_binding, "_fits", count)
    found: list[int] = []
    for depth in (5, 10, 20):
        steps = 0
        explain(build(depth), schema)
        found.append(steps)
    assert found[2] - found[1] <= 2.1 * (found[1] - found[0])


@given(
    st.sampled_from(list(LINKS)), st.lists(st.sampled_from(list("abcd")), min_size=1, max_size=6)
)
def test_a_tree_fits_where_some_choice_of_alternatives_does(schema: Any, drawn: list[str]) -> None:
    shapes = [{"a": (2, 2), "b": (2, 3), "c": (3, 2), "d": (3, 3)}[letter] for letter in drawn]
    tree: dict[str, Any] = {}
    for shape in reversed(shapes):
        tree = {"a": param(*shape)} | ({"n": tree} if tree else {})
    assert bool(explain(tree, schema)) is is_possible(schema, shapes, {})


@pytest.mark.parametrize("keys", ["a", "ab", "abba", "aabab"])
def test_by_keys(keys: str) -> None:
    doors = warm(Left, chain(keys, 3))
    assert not doors.ask(chain(f"{keys}c", 3))
    assert not doors.ask({**chain(keys, 3), "n": {"a": param(2), "n": chain("bac", 4)}})
    assert doors.ask({**chain(keys, 3), "n": {"a": param(2), "n": chain("ba", 4)}})


def test_the_wrong_leaf_is_named_where_it_is() -> None:
    report = explain(chain("abaac", 3), Left)
    assert [str(item) for item in report.violations] == [
        'n.n.n.n.a: missing, expected Param[Float[Array, "d"]] (as Left) [missing]',
        "n.n.n.n.c: not declared, found Param float32[3] (as Left) [extra]",
    ]


def test_linked_sizes_are_held_against_each_other_at_any_depth() -> None:
    doors = warm(LinkedLeft, chain("abba", 3), chain("abba", 4))
    tree = chain("abba", 3)
    tree["n"]["n"]["n"] = chain("a", 4)
    assert not doors.ask(tree)
    assert [str(item) for item in explain(tree, LinkedLeft).violations] == [
        "n.n.n.a: d is 4, but d=3 from a, axis 0 [dim]"
    ]


def test_sizes_decide_at_any_depth() -> None:
    doors = warm(Square, chain("aaa", 3, 3), {"a": param(2, 2), "n": chain("aa", 3, 4)})
    assert not doors.ask(chain("aa", 3, 4))  # the first is a square
    assert not doors.ask({"a": param(2, 2), "n": chain("aa", 3)})
    warm(
        Wide,
        chain("aaaa", 3, 4),
        {"a": param(3, 4), "n": {"a": param(3, 3), "n": chain("a", 5, 2)}},
    )


def test_a_pattern_of_many_holes_is_matched_in_linear_time() -> None:
    pattern = "a".join(["{}"] * 7) + "b"
    body = {"__module__": __name__, "__annotations__": {}}
    schema = type(TypedState)("Patterned", (TypedState,), body, extra={pattern: nnx.Param})
    for key in ("a" * 60, "a" * 3000, "xa" * 1500 + "c"):  # backtracking would not end
        assert not explain({key: param(2)}, schema)
    assert explain({"a" * 3000 + "b": param(2)}, schema)
