"""Which sizes a structure may have: what the explainer saw of one, as equations between axes.

Where a value is like an accepted one but for the sizes of its arrays, the explainer would walk
it the same way and see the same dims with other sizes. Whether those agree is all that is left
to decide, and a `Law` decides it by the rules of `binding.settle`, or leaves it to the explainer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import dims
from .binding import Choice, Observation, Seen, Var
from .dims import Expr, Name, Size
from .spec import Path

#: An axis of an array that may have another size, or the size of one that may not.
Slot = tuple[str, int] | int


@dataclass(frozen=True, slots=True)
class Law:
    """The sizes that arrays of one structure may have.

    Attributes:
      arrays: of each array that may differ, the learned abstract value.
      fixed: axes that keep their sizes.
      equal: axes of one size.
      equations: axes with their sizes as expressions over other axes.
    """

    arrays: Mapping[str, Any]
    fixed: frozenset[tuple[tuple[str, int], int]]
    equal: frozenset[tuple[tuple[str, int], Slot]]
    equations: frozenset[tuple[Slot, Expr[Any]]]

    def allows(self, arrays: Mapping[str, Any]) -> bool:
        """Whether the explainer would accept the same structure with these abstract values."""
        for name, learned in self.arrays.items():
            found = arrays[name]
            same = type(found) is type(learned) and found.dtype == learned.dtype
            if not same or len(found.shape) != len(learned.shape):
                return False
        sizes: dict[Hashable, Any] = {
            (name, axis): size
            for name, found in arrays.items()
            for axis, size in enumerate(found.shape)
        }
        if not all(isinstance(size, int) for size in sizes.values()):
            return False  # symbolic ones, of jax.export
        return (
            all(sizes[slot] == size for slot, size in self.fixed)
            and all(sizes[slot] == sizes.get(other, other) for slot, other in self.equal)
            and all(
                dims.evaluate(expr, sizes) == sizes.get(slot, slot) for slot, expr in self.equations
            )
        )


def law_of(
    observations: Iterable[Observation],
    split: Iterable[Expr[Var]],
    places: Mapping[Path, str | None],
    arrays: Mapping[str, Any],
) -> Law | None:
    """The law of an accepted value, None where only the explainer can tell.

    Args:
      observations: all that the explainer saw of its sizes.
      split: sizes that a mesh has to divide.
      places: which array stands at a path; None for one that must be as it was.
      arrays: the abstract value of each.
    """
    if not all(isinstance(size, int) for aval in arrays.values() for size in aval.shape):
        return None
    plain, hard = _sorted(observations)
    looked_at = [seen.origin.path for seen in plain + hard if seen.origin.axis is not None]
    if any(path not in places for path in looked_at):
        return None  # something that generated code reaches by another path
    pinned = {name for seen in hard for name in dims.names_of(seen.expr)}
    pinned |= {name for expr in split for name in dims.names_of(expr)}
    _close(pinned, plain)
    fixed: set[tuple[tuple[str, int], int]] = set()
    equal: set[tuple[tuple[str, int], Slot]] = set()
    equations: set[tuple[Slot, Expr[Any]]] = set()
    for seen in hard:
        place = places.get(seen.origin.path)
        if place is not None:
            fixed |= {((place, axis), size) for axis, size in enumerate(arrays[place].shape)}
    first: dict[Var, Slot] = {}
    for seen in plain:
        slot = _slot(seen, places)
        names = _names(seen)
        if names <= pinned:
            if isinstance(slot, tuple):
                fixed.add((slot, _size(seen)))
        elif isinstance(seen.expr, Name):
            other = first.setdefault(seen.expr.name, slot)
            if slot != other:
                pair = (slot, other) if isinstance(slot, tuple) else (other, slot)
                assert isinstance(pair[0], tuple)
                equal.add((pair[0], pair[1]))
    for seen in plain:
        if not isinstance(seen.expr, Name) and not _names(seen) <= pinned:
            expr = dims.substitute(seen.expr, lambda name: _as(first[name]))
            equations.add((_slot(seen, places), expr))
    return Law(dict(arrays), frozenset(fixed), frozenset(equal), frozenset(equations))


def _sorted(observations: Iterable[Observation]) -> tuple[list[Seen], list[Seen]]:
    """What equations can say, and what is fixed as it was: unions, shards, ``#``, ``*``, ..."""
    plain: list[Seen] = []
    hard: list[Seen] = []
    for item in observations:
        if isinstance(item, Choice):
            for option in item.options:
                hard += [seen for part in _sorted(option) for seen in part]
        elif item.broadcast or isinstance(item.size, tuple) or item.note:
            hard.append(item)
        else:
            plain.append(item)
    bound = {seen.expr.name for seen in plain if isinstance(seen.expr, Name)}
    solved = [seen for seen in plain if not bound.issuperset(_names(seen))]
    if solved:
        hard += solved
        plain = [seen for seen in plain if bound.issuperset(_names(seen))]
    return plain, hard


def _close(pinned: set[Var], plain: list[Seen]) -> None:
    """Adds the names that share an expression with one whose size is fixed."""
    mixed = [_names(seen) for seen in plain if not isinstance(seen.expr, Name)]
    size = -1
    while size != len(pinned):
        size = len(pinned)
        for names in mixed:
            if not pinned.isdisjoint(names):
                pinned |= names


def _slot(seen: Seen, places: Mapping[Path, str | None]) -> Slot:
    place = places.get(seen.origin.path)
    if place is None or seen.origin.axis is None:
        return _size(seen)
    return place, seen.origin.axis


def _names(seen: Seen) -> set[Var]:
    return set(dims.names_of(seen.expr))


def _size(seen: Seen) -> int:
    assert isinstance(seen.size, int)
    return seen.size


def _as(slot: Slot) -> Expr[Any]:
    return Size(slot) if isinstance(slot, int) else Name(slot)
