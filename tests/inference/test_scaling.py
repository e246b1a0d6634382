"""The work of `infer` and of what is written of it grows with the number of leaves, no faster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests.zoo import leaf
from typedstate import SchemaDocument, infer, to_source


def param(*shape: int) -> Any:
    return leaf(nnx.Param, jax.ShapeDtypeStruct(shape, jnp.float32))


def key(index: int) -> str:
    """A key that is no part of a run of numbers."""
    return f"{chr(97 + index % 26)}{index}x"


def leaves(count: int) -> Any:
    return infer({key(index): param(2, 3) for index in range(count)})


def like_branches(count: int) -> Any:
    return infer({key(index): {"w": param(2, 3)} for index in range(count)})


def unlike_branches(count: int) -> Any:
    return infer({key(index): {f"w{index}": param(2, 3)} for index in range(count)})


def optional_leaves(count: int) -> Any:
    return infer({key(index): param(4, 4) for index in range(count)}, {key(1): param(4, 4)})


def optional_leaves_of_other_sizes(count: int) -> Any:
    tree = {key(index): param(4, 4 + index) for index in range(count)}
    return infer(tree, {key(1): param(4, 4)})


def odd_keys(count: int) -> Any:
    return infer({("a", index): param(2) for index in range(count)})


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, Python's own among them."""
    count = 0

    def seen(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "made",
    [
        *(leaves, like_branches, unlike_branches, odd_keys),
        *(optional_leaves, optional_leaves_of_other_sizes),
    ],
    ids=lambda made: made.__name__,
)
def test_four_times_the_leaves_take_four_times_the_work(made: Callable[[int], Any]) -> None:
    for write in (to_source, SchemaDocument.of):
        write(made(10))  # what is kept from then on
    few, many = calls(lambda: made(60)), calls(lambda: made(240))
    assert many < 5 * few
    one, four = made(60), made(240)
    assert calls(lambda: to_source(four)) < 5 * calls(lambda: to_source(one))
    assert calls(lambda: SchemaDocument.of(four)) < 5 * calls(lambda: SchemaDocument.of(one))
