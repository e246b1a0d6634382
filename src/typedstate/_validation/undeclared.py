"""Leaves under undeclared keys, and the answers of filters about them.

The answer of a filter is a guard of the findings: guarded code asks it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flax.nnx import filterlib

from .._compat import variables
from .._spec import filters
from .._spec.leaf_conditions import Allowed, Selection
from .._spec.nodes import Conditional, Extra
from ..report import Path, Unknown, show_path
from .findings import Findings
from .trace import Guard


def allowed(found: Findings, value: Any, extra: Extra, path: Path) -> bool:
    """Whether all leaves below an undeclared key are of an allowed kind."""
    if not extra.allowed or Allowed() in extra.allowed:
        return bool(extra.allowed)
    level = len(path) - 1
    return all(
        any(_allows(found, item, leaf, keys, level) for item in extra.allowed)
        for keys, leaf in _leaves_below(value, path)
    )


def _allows(found: Findings, allowed: Allowed, leaf: Any, path: Path, level: int) -> bool:
    if allowed.kinds is not None and not (
        variables.is_variable(leaf) and _is_of(leaf, allowed.kinds)
    ):
        return False
    return all(_selected(found, leaf, path, level, one) for one in allowed.selections)


def _selected(found: Findings, leaf: Any, path: Path, level: int, selection: Selection) -> bool:
    keys = path[level - len(selection.path) :]
    return ask_filter(found, selection.filter, keys, leaf, path) is selection.keep


def ask_filter(
    found: Findings, filter_: Any, keys: Path, leaf: Any, path: Path
) -> bool | type[Exception]:
    """The answer of an NNX filter for a real leaf, or the exception that the user's code raises.

    Guarded code asks again.
    """
    test: Callable[[Any, Any], Any] = filterlib.to_predicate(filter_)

    def ask(leaf: Any) -> bool | type[Exception]:
        try:
            return bool(test(keys, leaf))
        except Exception as error:
            return type(error)

    chosen = ask(leaf)
    found.guard(Guard(path, lambda other: ask(other) is chosen))
    return chosen


def see_undecided(found: Findings, spec: Conditional, path: Path) -> None:
    """Notes a field of which the value can't show whether a filter selects it."""
    text = f"whether {filters.show_filter(spec.filter)} selects it can't be told"
    found.part.unknown.append(Unknown(show_path(path, found.root), text))


def _is_of(leaf: Any, kinds: tuple[type, ...]) -> bool:
    return issubclass(variables.kind_of(leaf), kinds)


def _leaves_below(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    mapping = variables.mapping_of(value)
    if mapping is None:
        yield path, value
    else:
        for key, item in dict(mapping).items():
            yield from _leaves_below(item, (*path, key))
