"""`check`: the runtime half of a line that type checkers verify, `check(assert_type(expression,
T), runtime_class)`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import jax
from flax import nnx
from flax.nnx.statelib import FlatState

T = TypeVar("T")


@dataclass(frozen=True)
class Of:
    """What a state is expected to be.

    Attributes:
        container: the class of the state itself.
        leaves: the class, or classes, of its leaves: every leaf is one, and there is a leaf.
    """

    container: type
    leaves: type | tuple[type, ...]


def leaves_of(state: Any) -> Iterator[object]:
    if isinstance(state, FlatState):
        yield from state.leaves
    else:
        yield from jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, nnx.Variable))


def agrees(value: object, expected: type | Of) -> bool:
    match expected:
        case Of(container, leaves):
            found = list(leaves_of(value))
            return (
                isinstance(value, container)
                and bool(found)
                and all(isinstance(x, leaves) for x in found)
            )
        case _:
            return isinstance(value, expected)


def check(value: T, expected: type | Of, *items: type | Of) -> T:
    """Asserts that a value, and each item of a tuple, is of the class that its static type
    promises."""
    assert agrees(value, expected), f"{type(value)} is no {expected}"
    if items:
        for item, one in zip(cast(tuple[object, ...], value), items, strict=True):
            assert agrees(item, one), f"{type(item)} is no {one}: {item}"
    return value
