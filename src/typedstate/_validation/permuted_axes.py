"""Recognises arrays whose axes are in another order: a transposed kernel, a moved stacked axis.

Foreign weights are often transposed. Judged axis by axis, such an array has two violations, and it
binds sizes to names for which right arrays are blamed. Judged as a whole, it alone is refused.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec.structs import replace

from .._spec import dims
from ..report import Code, Path, Size, Violation, show_path
from .dim_binding import Conflict, Observation, SeenSize, Sizes, settle
from .scopes import Var

_MAX_AXES: Final = 5
_MAX_SUSPECTS: Final = 200
SWAPPED: Final = "the axes look swapped: is it transposed?"
_Place = tuple[str, Path]
_Leaves = Mapping[_Place, "list[SeenSize]"]


class Permuted(msgspec.Struct, frozen=True):
    """An array that fits with its axes in another order.

    Attributes:
      seen: the sizes of its axes, for those with a name or expression in the hint.
      axes: the order of axes in which it fits, as ``jnp.transpose`` takes it.
      witnesses: the places, as text, of the sizes with which it fits.
      note: the likely cause.
    """

    seen: tuple[SeenSize, ...]
    axes: tuple[int, ...]
    witnesses: tuple[str, ...]
    note: str

    @property
    def place(self) -> _Place:
        """The root and the path of the array."""
        return self.seen[0].root, self.seen[0].path

    def violation(self) -> Violation:
        """The violation that a report shows."""
        first = self.seen[0]
        by_axis = {seen.axis: seen.size for seen in self.seen}
        shape = ",".join(str(seen.size) for seen in self.seen)
        fitting = ",".join(str(by_axis[axis]) for axis in self.axes)
        text = " ".join(seen.text for seen in self.seen)
        named = any(True for seen in self.seen for _ in dims.names_of(seen.expr))
        code: Code = "dim" if named else "size"
        expected, actual = f"({fitting})", f"({shape})"
        if named:
            given = f" with {', '.join(self.witnesses[:2])}" if self.witnesses else ""
            expected, actual = f'"{text}" is ({fitting}){given}', f"the shape is ({shape})"
        return Violation(
            show_path(first.path, first.root), code, expected, actual, self.note, first.path
        )


def turned(
    batches: Sequence[Sequence[Observation]],
    sizes: Sizes,
    conflicts: Sequence[Conflict],
    given: Mapping[Var, int],
) -> list[Permuted]:
    """The arrays that explain conflicts by the order of their axes.

    Args:
      batches: all that was seen.
      sizes: to which names were bound by it.
      conflicts: sizes that disagree.
      given: sizes from ``dims=``.
    """
    names = {name for one in conflicts for name in dims.names_of(one.seen.expr)}
    leaves = _near(names, [one.seen for one in conflicts], batches, sizes)
    stack = _moved_stack(batches, leaves, names, given)
    return stack or _permuted(_Votes(sizes), leaves, given)


def _near(
    names: set[Var],
    wrong: Iterable[SeenSize],
    batches: Iterable[Iterable[Observation]],
    sizes: Sizes,
) -> dict[_Place, list[SeenSize]]:
    """The sizes of each array that has one of these names, or a size that is wrong."""
    found = [*wrong]
    for groups in sizes.groups:
        found += [seen for name in names for seen in groups.get(name, ())]
    found += [
        seen
        for seen in sizes.expressions
        if any(name in names for name in dims.names_of(seen.expr))
    ]
    near = {(seen.root, seen.path) for seen in found}
    orders = {seen.order for seen in found}  # quicker to ask for than a path
    leaves: dict[_Place, list[SeenSize]] = {}
    for batch in batches:
        for seen in batch:
            if not isinstance(seen, SeenSize) or seen.order not in orders:
                continue
            if (place := (seen.root, seen.path)) in near:
                leaves.setdefault(place, []).append(seen)
    return leaves


def _permuted(votes: _Votes, leaves: _Leaves, given: Mapping[Var, int]) -> list[Permuted]:
    """The arrays that explain conflicts: in another order, two or more of their axes fit.

    Each array is compared with all others first, then with those of other hints, as in a foreign
    model every kernel may be transposed.
    """
    turnable = (place for place, seen in leaves.items() if _can_be_turned(seen))
    suspects = list(itertools.islice(turnable, _MAX_SUSPECTS))

    def fitting(apart: bool) -> list[Permuted]:
        arrays = [leaves[place] for place in suspects]
        found = [_fitting(array, votes.of(array, given, apart=apart)) for array in arrays]
        return [one for one in found if one]

    return fitting(apart=False) or fitting(apart=True)


def _moved_stack(
    batches: Sequence[Sequence[Observation]],
    leaves: _Leaves,
    names: set[Var],
    given: Mapping[Var, int],
) -> list[Permuted]:
    """The arrays of a stack whose axis has another position in all of them.

    They are looked for before `_permuted`, which would blame any array, as they agree.
    """
    for name in sorted(names):
        stack = {place: seen for place, seen in leaves.items() if _stands_in(name, seen)}
        ranks = {len(seen) for seen in stack.values()}
        if len(stack) < 2 or len(ranks) < 2 or not all(map(_is_whole, stack.values())):
            continue
        for at in (1, -1, 0):
            found = [_moved(seen, name, at) for seen in stack.values()]
            if all(found) and _settles(batches, [one for one in found if one], given):
                return [one for one in found if one]
    return []


def _can_be_turned(seen: list[SeenSize]) -> bool:
    """Whether an array has a few axes, and what was seen of each is its whole size."""
    if not 2 <= len(seen) <= _MAX_AXES:
        return False
    return all(isinstance(one.axis, int) and not one.note for one in seen) and not any(
        one.dim.broadcast for one in seen
    )


def _stands_in(name: Var, seen: list[SeenSize]) -> bool:
    return any(one.expr == dims.Name(name) for one in seen)


def _is_whole(seen: list[SeenSize]) -> bool:
    """Whether every axis of an array has a size in the hint."""
    plain = all(not one.note and not one.dim.broadcast for one in seen)
    return plain and [one.axis for one in seen] == list(range(len(seen)))


def _moved(seen: list[SeenSize], name: Var, at: int) -> Permuted | None:
    """An array of a stack whose axis has another position than declared."""
    declared = next(i for i, one in enumerate(seen) if one.expr == dims.Name(name))
    actual = at % len(seen)
    if actual == declared:
        return None
    axes = [axis for axis in range(len(seen)) if axis != actual]
    axes.insert(declared, actual)
    note = f"the axis {name.name} stands at {at}"
    return Permuted(tuple(seen), tuple(axes), (), note)


def _settles(
    batches: Sequence[Sequence[Observation]], found: list[Permuted], given: Mapping[Var, int]
) -> bool:
    """Whether nothing that is wrong about these arrays is left with their axes in that order."""
    sizes = {(one.place, seen.axis): seen.size for one in found for seen in one.seen}
    axes = {(one.place, seen.axis): one.axes[i] for one in found for i, seen in enumerate(one.seen)}

    def turned(item: Observation) -> Observation:
        key = ((item.root, item.path), item.axis) if isinstance(item, SeenSize) else None
        if key not in axes:
            return item
        return cast(Observation, replace(cast(Any, item), size=sizes[key[0], axes[key]]))

    places = {one.place for one in found}
    again = settle([[turned(item) for item in batch] for batch in batches], given)[1]
    return all((one.seen.root, one.seen.path) not in places for one in again)


def without(batch: Iterable[Observation], places: set[_Place]) -> list[Observation]:
    """The observations without those of these arrays."""
    return [
        item
        for item in batch
        if not isinstance(item, SeenSize) or (item.root, item.path) not in places
    ]


class _Votes:
    """All sizes that were seen, by the names that they give a size."""

    def __init__(self, sizes: Sizes) -> None:
        self._groups = sizes.groups
        self._counted: dict[tuple[Var, frozenset[int]], Counter[Size]] = {}

    def of(
        self, array: list[SeenSize], given: Mapping[Var, int], *, apart: bool
    ) -> dict[Var, SeenSize | int]:
        """Names of an array with a size that most others give them, or that was given.

        Args:
          array: its sizes.
          given: sizes from ``dims=``.
          apart: whether arrays of the same hint have no vote either.
        """
        own = frozenset(id(one.dim) for one in array) if apart else frozenset[int]()
        found: dict[Var, SeenSize | int] = {}
        for name in {name for seen in array for name in dims.names_of(seen.expr)}:
            if name in given:
                found[name] = given[name]
                continue
            counts = Counter(self._counts(name, own))
            if not apart:
                own_sizes = (one.size for one in array if one.expr == dims.Name(name))
                counts.subtract(size for size in own_sizes if type(size) is int)
            [(size, count)] = counts.most_common(1) or [(0, 0)]
            if count * 2 > counts.total():
                found[name] = self._witness(name, size, array[0], own)
        return found

    def _seen(self, name: Var) -> list[SeenSize]:
        return [seen for groups in self._groups for seen in groups.get(name, ())]

    def _counts(self, name: Var, without: frozenset[int]) -> Counter[Size]:
        """How often a name has each size, without those of some dims by their ids."""
        if (name, without) not in self._counted:
            seen = self._seen(name)
            if without:
                seen = [one for one in seen if id(one.dim) not in without]
            sizes = Counter([one.size for one in seen])
            self._counted[name, without] = Counter(
                {size: count for size, count in sizes.items() if type(size) is int}
            )
        return self._counted[name, without]

    def _witness(self, name: Var, size: Size, array: SeenSize, without: frozenset[int]) -> SeenSize:
        """The first place outside of an array that gives a name this size."""
        return next(
            seen
            for seen in self._seen(name)
            if seen.size == size
            and (seen.path != array.path or seen.root != array.root)
            and id(seen.dim) not in without
        )


def _fitting(seen: list[SeenSize], votes: Mapping[Var, SeenSize | int]) -> Permuted | None:
    """The other order of axes in which an array fits; None if there is none."""
    sizes = {name: vote if isinstance(vote, int) else _size(vote) for name, vote in votes.items()}
    wanted = [dims.evaluate(one.expr, sizes) for one in seen]
    actual: list[Any] = [one.size for one in seen]
    if sum(size is not None for size in wanted) < 2 or _agree(wanted, actual):
        return None
    for order in itertools.permutations(range(len(seen))):
        if not _agree(wanted, [actual[index] for index in order]):
            continue
        moved = [index for index, other in enumerate(order) if index != other]
        if sum(wanted[index] is not None for index in moved) < 2:
            continue  # of one axis alone it may be chance
        of = (name for index in moved for name in dims.names_of(seen[index].expr))
        names = [name for name in dict.fromkeys(of) if name in votes]
        witnesses = tuple(_witness(name, votes[name]) for name in names)
        axes: list[Any] = [seen[index].axis for index in order]
        return Permuted(tuple(seen), tuple(axes), witnesses, _note(tuple(axes), len(moved)))
    return None


def _note(axes: tuple[int, ...], moved: int) -> str:
    if moved == 2:
        return SWAPPED
    whole = sorted(axes) == list(range(len(axes)))
    return "the axes look permuted" + (f": jnp.transpose(array, {axes}) fits" if whole else "")


def _agree(wanted: Sequence[int | None], actual: Sequence[Any]) -> bool:
    return all(one is None or one == size for one, size in zip(wanted, actual, strict=True))


def _size(seen: SeenSize) -> int:
    assert isinstance(seen.size, int)
    return seen.size


def _witness(name: Var, vote: SeenSize | int) -> str:
    if isinstance(vote, int):
        return f"{name.name}={vote} as given by dims="
    return f"{name.name}={vote.size} from {show_path(vote.path, vote.root) or 'the value'}"
