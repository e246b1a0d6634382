"""What MaxText's helpers for abstract states, named shardings and partition specs do, typed.

Written in our own words after ``maxtext/utils/maxtext_utils_nnx.py``, whose comments say what
the forms say here: "the leaf is of type NamedSharding", "it must have the same tree structure".
Each runs on a sharded transformer over eight devices: as it should, and with ten mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from tests.zoo.sharded_transformer import (
    RULES,
    TrainingState,
    value_of,
)
from typedstate import Abstract, PlacedBy, Shardings, Specs, checked

Body = Callable[..., Any]
Keys = tuple[Any, ...]


def extracted(abstract: Any) -> Any:
    return jax.tree.map(lambda array: array.sharding, abstract)


def read(named: Any) -> Any:
    return jax.tree.map(lambda sharding: sharding.spec, named)


def combined(abstract: Any, named: Any) -> Any:
    return jax.tree.map(
        lambda array, at: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=at),
        abstract,
        named,
    )


@checked
def shardings_of(
    abstract: PlacedBy[Abstract[TrainingState], RULES], body: Body = extracted
) -> Shardings[TrainingState]:
    return body(abstract)


@checked
def specs_of(named: Shardings[TrainingState], body: Body = read) -> Specs[TrainingState]:
    return body(named)


@checked
def with_shardings(
    abstract: Abstract[TrainingState], named: Shardings[TrainingState], body: Body = combined
) -> PlacedBy[Abstract[TrainingState], RULES]:
    return body(abstract, named)


Change = Callable[[Any], Any]


def each(chosen: Callable[[Keys], bool], change: Change) -> Change:
    """Changes what the chosen leaves hold."""

    def changed(tree: Any) -> Any:
        flat = nnx.to_flat_state(tree)
        return nnx.from_flat_state(
            [(p, leaf.replace(change(value_of(leaf))) if chosen(p) else leaf) for p, leaf in flat]
        )

    return changed


def at(path: Keys, change: Change) -> Change:
    return each(lambda keys: keys == path, change)
