"""Compares the sizes of axes in all occurrences of a class, where an axis may be absent."""

from __future__ import annotations

from collections.abc import Sequence

from .uses import Draft, Sizes


def varies(draft: Draft, sizes: Sizes) -> bool:
    """Whether a size differs between the examples at some path of the class."""
    seen: dict[object, int] = {}
    for (_, path), size in zip(draft.places, sizes, strict=True):
        if size is not None and seen.setdefault(path, size) != size:
            return True
    return False


def uniform(sizes: Sizes) -> int | None:
    """The size in all occurrences; None if they differ."""
    found = {size for size in sizes if size is not None}
    return found.pop() if len(found) == 1 else None


def agree(first: Sizes, second: Sizes) -> bool:
    """Whether two axes have one size in all occurrences with both, and both occur together."""
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return bool(both) and all(a == b for a, b in both)


def filled(first: Sizes, second: Sizes) -> Sizes:
    """The sizes of one axis, where it is absent those of the other."""
    return tuple(b if a is None else a for a, b in zip(first, second, strict=True))


def collapsed(sizes: Sizes, owners: Sequence[int], count: int) -> Sizes | None:
    """One size per owner; None if the entries of an owner differ."""
    found: list[int | None] = [None] * count
    for owner, size in zip(owners, sizes, strict=True):
        if size is not None:
            if found[owner] not in (None, size):
                return None
            found[owner] = size
    return tuple(found)
