"""Alternatives within alternatives: each is walked once, however many unions lie around it.

Schemas that refer to each other by ``A | B`` would else be walked twice as often at every level.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import msgspec

from .._spec.nodes import (
    Anything,
    Array,
    Bound,
    Instance,
    Leaf,
    Literally,
    Node,
    NoValue,
    Spec,
)
from .._spec.questions import unbind
from .dim_binding import Choice, Observation
from .findings import Branch, Finding
from .occurrences import Occurrences
from .scopes import Scope, linked

#: Walking these again costs no more than remembering them.
_SMALL: Final = (Leaf, NoValue, Array, Instance, Anything, Literally)


class Once(msgspec.Struct, frozen=True):
    """What was found of one alternative.

    Attributes:
      value: that was walked; it stays alive, as it is known by its id.
      part: what was found.
      start: the order at which its walk began.
      end: the order at which it ended.
    """

    value: Any
    part: Branch
    start: int
    end: int


class Tried:
    """The alternatives of unions within unions that were walked in a value."""

    __slots__ = ("_choices", "_found")

    def __init__(self) -> None:
        """Nothing was walked yet."""
        self._found: dict[Hashable, Once] = {}
        self._choices: dict[Hashable, tuple[list[list[Observation]], list[Observation]]] = {}

    def key(self, option: Spec, at: Hashable, occurrences: Occurrences) -> Hashable:
        """What tells an alternative from others; None for one that is not kept."""
        if occurrences.unions < 2 or isinstance(option, _SMALL):
            return None
        return id(option), at, occurrences.argument_at, occurrences.shared_tree()

    def keep(self, key: Hashable, links: Hashable, once: Once) -> None:
        """Keeps what was found of an alternative with these links."""
        self._found[key if once.part.violations else (key, links)] = once

    def find(self, key: Hashable, links: Hashable) -> Once | None:
        """What was found of an alternative, where that is the same in every alternative around.

        That is so where it does not fit, as names have no say in that; and of a schema whose names
        are its own, or are linked to the same (see `links_of`).
        """
        return self._found.get(key) or (None if links is None else self._found.get((key, links)))

    def choice(self, options: list[list[Observation]]) -> list[Observation]:
        """What fitting alternatives have seen: one of them, and what all of them have.

        It is the same for the same alternatives in another order: the order of the first counts.
        """
        key = frozenset(map(id, options))
        if key not in self._choices:
            self._choices[key] = options, _choice(options)
        return self._choices[key][1]


def _choice(options: list[list[Observation]]) -> list[Observation]:
    every = [{id(seen) for seen in option} for option in options]
    shared = set[int].intersection(*every)
    rest = [[seen for seen in option if id(seen) not in shared] for option in options]
    both = [seen for seen in options[0] if id(seen) in shared]
    return [Choice(rest), *both] if any(rest) else both


def links_of(option: Spec, scope: Scope, outermost: bool) -> Hashable:
    """What the names of an alternative stand for around it; None where that can't be said."""
    binds, inner = unbind(option) if isinstance(option, Bound) else ([], option)
    if outermost or not isinstance(inner, Node) or inner.ref.owners:
        return None
    return frozenset(linked(scope, binds, 0, outermost=False).links.items())


def moved(once: Once, order: int) -> Branch:
    """What was found, as from another leaf of the tree on."""
    part, by = once.part, order - once.start
    if not by:
        return part
    found = [Finding(item.order + by, item.violation) for item in part.violations]
    return Branch(found, part.seen, part.splits, part.unknown, part.present)
