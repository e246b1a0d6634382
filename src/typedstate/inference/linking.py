"""Which axes belong together: those of a bias and its kernel, and of neighbours of one size.

A size is a *signature* here: what it is in each of the trees that are observed side by side.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import reduce

from .naming import common_name
from .template import ArrayUse, FieldUse, LeafUse, Signature, Slot, bare_dims, use_dims, value_dims


def groups(fields: Sequence[FieldUse], slots: Sequence[Slot], examples: int) -> list[int]:
    """For each slot the first one that it is the same dim as."""
    group = list(range(len(slots)))
    sizes = [slot.signature for slot in slots]

    def union(first: int, second: int) -> None:
        low, high = sorted((group[first], group[second]))
        sizes[low] = _filled(sizes[low], sizes[high])
        for index, found in enumerate(group):
            if found == high:
                group[index] = low

    direct = [
        list(item.use.value.dims)
        for item in fields
        if isinstance(item.use, LeafUse)
        and isinstance(item.use.value, ArrayUse)
        and item.use.value.dims
    ]
    placed: list[list[int]] = []
    for axes in sorted(direct, key=len, reverse=True):
        for others in placed:
            pairs = _aligned(axes, others, [sizes[found] for found in group])
            if pairs:
                for first, second in pairs:
                    union(first, second)
                break
        placed.append(axes)
    trees = any(not isinstance(item.use, LeafUse) for item in fields)
    free = trees or examples > 1
    kinds = {
        dim: item.use.kind
        for item in fields
        if isinstance(item.use, LeafUse)
        for dim in value_dims(item.use.value)
    }
    for second, slot in enumerate(slots):
        for first in range(second):
            if (
                group[first] != group[second]
                and slot.links
                and slots[first].links
                and _agree(sizes[group[first]], sizes[group[second]])
                and bool(slot.leaves) == bool(slots[first].leaves)  # lengths are no axes
                and (
                    free
                    or (
                        kinds[first] is kinds[second] is not None
                        and not _share_leaf(group, slots, first, second)
                    )
                )
            ):
                union(first, second)
    return group


def _agree(first: Signature, second: Signature) -> bool:
    """Whether two axes have the same size wherever both are there, and are so somewhere."""
    both = [(a, b) for a, b in zip(first, second, strict=True) if None not in (a, b)]
    return bool(both) and all(a == b for a, b in both)


def _filled(first: Signature, second: Signature) -> Signature:
    return tuple(b if a is None else a for a, b in zip(first, second, strict=True))


def _aligned(
    axes: Sequence[int], others: Sequence[int], sizes: Sequence[Signature]
) -> list[tuple[int, int]]:
    """Pairs the axes of a leaf with those of one that has more: from the end, then the front.

    A bias ``[dout]`` fits a kernel ``[din, dout]`` so, and ``[layers, dout]`` a stacked one.
    Empty where they don't fit.
    """
    pairs: list[tuple[int, int]] = []
    left, right = list(axes), list(others)
    while left and _agree(sizes[left[-1]], sizes[right[-1]]):
        pairs.append((left.pop(), right.pop()))
    while left and _agree(sizes[left[0]], sizes[right[0]]):
        pairs.append((left.pop(0), right.pop(0)))
    return [] if left else pairs


def _share_leaf(group: Sequence[int], slots: Sequence[Slot], first: int, second: int) -> bool:
    def paths(number: int) -> set[tuple[Hashable, ...]]:
        of_group = (slot for slot, found in zip(slots, group, strict=True) if found == number)
        return {path for slot in of_group for path in slot.leaves}

    return bool(paths(group[first]) & paths(group[second]))


def canonical(fields: Sequence[FieldUse], group: Sequence[int]) -> list[int]:
    """Numbers the groups in the order in which the fields have them."""
    order = dict.fromkeys(group[dim] for item in fields for dim in use_dims(item.use))
    numbers = {found: index for index, found in enumerate(order)}
    return [numbers[found] for found in group]


def merged(slots: Sequence[Slot], numbers: Sequence[int]) -> list[Slot]:
    """One slot for each group."""
    found: list[Slot] = []
    for number in range(max(numbers, default=-1) + 1):
        members = [slot for slot, own in zip(slots, numbers, strict=True) if own == number]
        paths = frozenset(path for slot in members for path in slot.leaves)
        name = common_name([slot.name for slot in members])
        links = any(slot.links for slot in members)
        signature = reduce(_filled, (slot.signature for slot in members))
        found.append(Slot(signature, paths, name, links))
    return found


def alone(fields: Sequence[FieldUse], count: int) -> list[bool]:
    """For each dim, whether it is that of one dim of one sub-state and stands nowhere else."""
    uses = [0] * count
    nested = [True] * count
    for item in fields:
        for dim in use_dims(item.use):
            uses[dim] += 1
        for dim in bare_dims(item.use):
            nested[dim] = False
    return [one == 1 and inside for one, inside in zip(uses, nested, strict=True)]


def collapsed(signature: Signature, owners: Sequence[int], count: int) -> Signature | None:
    """One size per owner, None where the entries of one differ."""
    found: list[int | None] = [None] * count
    for owner, size in zip(owners, signature, strict=True):
        if size is not None:
            if found[owner] not in (None, size):
                return None
            found[owner] = size
    return tuple(found)
