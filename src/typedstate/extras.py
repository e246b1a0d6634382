"""What stands under keys that are not declared, and what filters say of it.

The explainer asks; what a filter answered goes into its `Evidence`, as a plan must ask again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from flax.nnx import filterlib

from . import leaves, patterns
from .evidence import Evidence, Guard
from .spec import Allowed, Extra, Path, Selection, Spec


def allowed(found: Evidence, value: Any, extra: Extra, path: Path) -> bool:
    """Whether all leaves below an undeclared key are of a kind that may stand anywhere."""
    if not extra.allowed or Allowed() in extra.allowed:
        return bool(extra.allowed)
    level = len(path) - 1
    return all(
        any(_allows(found, item, leaf, keys, level) for item in extra.allowed)
        for keys, leaf in _leaves_below(value, path)
    )


def _allows(found: Evidence, allowed: Allowed, leaf: Any, path: Path, level: int) -> bool:
    if allowed.kinds is not None and not (leaves.is_variable(leaf) and _is_of(leaf, allowed.kinds)):
        return False
    return all(_selected(found, leaf, path, level, one) for one in allowed.selections)


def _selected(found: Evidence, leaf: Any, path: Path, level: int, selection: Selection) -> bool:
    keys = path[level - len(selection.path) :]
    return ask(found, selection.filter, keys, leaf, path) is selection.keep


def ask(found: Evidence, filter_: Any, keys: Path, leaf: Any, path: Path) -> bool:
    """What an NNX filter says of a real leaf; a plan asks again."""
    test: Callable[[Any, Any], Any] = filterlib.to_predicate(filter_)
    chosen = bool(test(keys, leaf))
    guard = Guard(path, lambda other: bool(test(keys, other)) == chosen)
    found.guard(guard)
    return chosen


def _is_of(leaf: Any, kinds: tuple[type, ...]) -> bool:
    return issubclass(leaves.kind_of(leaf), kinds)


def _leaves_below(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    mapping = leaves.mapping_of(value)
    if mapping is None:
        yield path, value
    else:
        for key, item in dict(mapping).items():
            yield from _leaves_below(item, (*path, key))


def pattern_spec(extra: Extra, key: Hashable) -> Spec | None:
    """What stands under a key that is like one of the patterns."""
    for pattern, spec in extra.patterns:
        if patterns.matches(pattern, key):
            return spec
    return None
