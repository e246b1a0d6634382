"""Alternatives within alternatives: each is walked once, however many unions lie around it.

Schemas that refer to each other by ``A | B`` would else be walked twice as often at every level.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

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
from .findings import Branch
from .occurrences import Occurrences
from .scopes import Scope, linked

#: Walking these again costs no more than remembering them.
_SMALL: Final = (Leaf, NoValue, Array, Instance, Anything, Literally)


class Once(msgspec.Struct, frozen=True):
    """The findings of one alternative.

    Attributes:
      value: the value that was walked; kept alive, as it is known by its ``id``.
      part: the findings.
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
        """Keeps the findings of an alternative with these links."""
        self._found[key if once.part.violations else (key, links)] = once

    def find(self, key: Hashable, links: Hashable) -> Once | None:
        """The kept findings of an alternative, if they hold in every alternative around it.

        They do if it does not fit, as names don't matter then; and if its names are its own, or are
        linked to the same expressions (see `links_of`).
        """
        return self._found.get(key) or (None if links is None else self._found.get((key, links)))

    def choice(self, options: list[list[Observation]]) -> list[Observation]:
        """The observations of alternatives that all fit: those of one, and those that all have.

        The order of the alternatives does not matter: the first order that was seen is used.
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
    """The outer expressions of an alternative's names; None if they can't be told."""
    binds, inner = unbind(option) if isinstance(option, Bound) else ([], option)
    if outermost or not isinstance(inner, Node) or inner.ref.owners:
        return None
    return frozenset(linked(scope, binds, 0, outermost=False).links.items())


def moved(once: Once, order: int) -> Branch:
    """The findings, renumbered to begin at another leaf."""
    part, by = once.part, order - once.start
    if not by:
        return part
    found = [replace(item, order=item.order + by) for item in part.violations]
    return Branch(found, part.seen, part.splits, part.unknown, part.present, part.entries)
