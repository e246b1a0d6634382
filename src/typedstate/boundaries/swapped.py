"""Recognises swapped arguments, for the cause in a report.

If a call is refused, the walk is repeated with two arguments exchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..report import Report, Violation

if TYPE_CHECKING:
    from .._validation.walk import Walk

_MAX_PAIRS: Final = 6


def named(
    report: Report,
    names: Sequence[str],
    values: Sequence[Any],
    walk: Callable[[tuple[Any, ...]], Walk],
) -> Report:
    """The report, with its cause where two values fit in each other's place.

    Args:
      report: of values that do not fit.
      names: what the paths of each value begin with; empty for one that stays where it is.
      values: the arguments of a call, or the items of a tuple that it returns.
      walk: walks other values in their place.
    """
    wrong = [i for i, name in enumerate(names) if name and _of(report.violations, name)]
    for i, j in itertools.islice(itertools.combinations(wrong, 2), _MAX_PAIRS):
        exchanged = list(values)
        exchanged[i], exchanged[j] = values[j], values[i]
        found = walk(tuple(exchanged)).report(report.hint).violations
        if _of(found, names[i], names[j]):
            continue
        explained = frozenset(_of(report.violations, names[i], names[j]))
        return replace(report, cause=f"{names[i]} and {names[j]} are swapped", explained=explained)
    return report


def _of(violations: Sequence[Violation], *names: str) -> list[int]:
    """The places of the violations in the values of these names."""
    places = enumerate(one.path for one in violations)
    return [place for place, path in places if any(_begins(path, name) for name in names)]


def _begins(path: str, name: str) -> bool:
    return path.startswith(name) and path[len(name) : len(name) + 1] in ("", ".", "[")
