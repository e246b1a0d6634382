"""``Iterable[Array]``: collections are looked through, what else is iterated over is left whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jax.numpy as jnp
import pytest
from jax import Array

from typedstate import StateTypeError, checked

ONES = jnp.ones(2)


class Batches:
    """Can be iterated over, and is neither a collection nor an iterator."""

    def __iter__(self) -> Iterator[Array]:
        return iter([ONES])


@checked
def read(batches: Iterable[Array]) -> int:
    return len(list(batches))


@pytest.mark.parametrize("make", [lambda: [ONES], lambda: iter([ONES]), Batches])
def test_what_is_iterated_over_fits(make: Any) -> None:
    for _ in range(3):
        assert read(make()) == 1


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (3.0, "  batches: expected an iterable, found float [predicate]"),
        ([3.0], "  batches[0]: expected Array, found float [array]"),
    ],
)
def test_nothing_else_does(value: Any, line: str) -> None:
    for _ in range(3):
        with pytest.raises(StateTypeError) as caught:
            read(value)
        assert str(caught.value).splitlines()[1] == line
