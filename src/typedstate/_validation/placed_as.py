"""`PlacedAs`: an array is where another argument of the call has or puts its leaf."""

from __future__ import annotations

from typing import Any

import msgspec

from .._compat import variables
from .._sharding.as_argument import (
    Placements,
    compare_with,
    leaves_of,
    place_for,
    placements_of,
)
from ..report import Path, Unknown, show_path
from .causes import misplaced
from .findings import Findings
from .trace import Guard


class PlacedLike(msgspec.Struct, frozen=True, eq=False):
    """Whether the leaves of a tree are where those of an accepted one were."""

    places: Placements

    def __call__(self, value: Any) -> bool:
        """Asks again."""
        return placements_of(value) == self.places


def note_places(found: Findings, name: str, value: Any) -> None:
    """Keeps where an argument has or puts its leaves, before the others are walked."""
    found.places[name] = placements_of(value)


def guard_places(found: Findings, name: str) -> None:
    """Records that a known call asks again where that argument puts its leaves."""
    if name in found.traces:
        found.traces[name].guards.append(Guard((), PlacedLike(found.places[name])))


def see_placed(found: Findings, value: Any, argument: str, path: Path) -> None:
    """Compares each array of a tree with its place by an argument."""
    # Asked without the argument, too: what is known of a tree serves calls that have it.
    found.guard(Guard(path, PlacedLike(placements_of(value))))
    places = found.places.get(argument)
    if places is None:
        text = f"there is no argument {argument!r} that says where it has to be"
        found.part.unknown.append(Unknown(show_path(path, found.root), text))
        return
    for keys, leaf in leaves_of(value):
        if not variables.is_shaped(leaf):
            continue
        found.order += 1
        at, wanted = place_for(places, keys)
        where = show_path(at, argument)
        if wanted is None:
            found.add((*path, *keys), "sharding", f"a place in {argument}", f"none for {where}")
            continue
        verdict = compare_with(leaf, wanted)
        if verdict.outcome == "mismatch":
            expected = f"{verdict.expected} as in {where}"
            note = misplaced(verdict, argument)
            found.add((*path, *keys), "sharding", expected, verdict.actual, note)
        elif verdict.outcome == "unknown":
            text = f"{verdict.actual} ({verdict.expected} as in {where})"
            found.part.unknown.append(Unknown(show_path((*path, *keys), found.root), text))
