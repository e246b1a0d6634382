"""Schemas that refer to each other by unions are walked in linear time, and as exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.agreement import warm
from typedstate import Bind, TypedState, explain
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


def param(*shape: int) -> Any:
    return zoo.leaf(nnx.Param, jnp.ones(shape))


def chain(keys: str, *shape: int) -> dict[str, Any]:
    """A tree of as many levels as there are keys, each of one array of that key."""
    tree: dict[str, Any] = {}
    for key in reversed(keys):
        tree = {key: param(*shape)} | ({"n": tree} if tree else {})
    return tree


CASES: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "by their keys": (Left, lambda n: chain("ab" * n, 3)),
    "by their sizes": (Wide, lambda n: chain("aa" * n, 3, 3)),
    "by linked sizes": (LinkedLeft, lambda n: chain("ab" * n, 3)),
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
