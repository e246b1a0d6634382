"""Finds stacks of a class that also stands somewhere by itself.

Where no layer of Flax's shows the further axis, another module of the class may: all leaves of a
stack of such have one axis more than its leaves, of one size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from ..report import Path
from .catalogue import is_flax_layer
from .observe import ArraySeen, BranchSeen, Stack, leaves_of
from .stacks import AXES, without

_LEAST_LEAVES: Final = 2
#: The shape of each leaf, by its path.
Shapes = Mapping[Path, tuple[int, ...]]


def unstacked_beside(root: BranchSeen) -> BranchSeen:
    """The tree, in which each stack of a class that stands by itself too is one of its entries."""
    found: dict[type, list[BranchSeen]] = {}
    for branch in _branches(root):
        if branch.cls is not None and not is_flax_layer(branch.cls):
            found.setdefault(branch.cls, []).append(branch)
    single: dict[type, Shapes] = {}
    for cls, branches in found.items():
        shapes = [one for one in map(_shapes, branches) if len(one) >= _LEAST_LEAVES]
        if len({tuple(map(len, one.values())) for one in shapes}) > 1:
            single[cls] = min(shapes, key=lambda one: sum(map(len, one.values())))
    return _marked(root, single) if single else root


def _marked(branch: BranchSeen, single: Mapping[type, Shapes]) -> BranchSeen:
    stack = _beyond(branch, single)
    bare = branch if stack is None else without(branch, stack)
    items = {
        key: _marked(item, single) if isinstance(item, BranchSeen) else item
        for key, item in bare.items.items()
    }
    return replace(bare, items=items, stacked=branch.stacked if stack is None else stack)


def _beyond(branch: BranchSeen, single: Mapping[type, Shapes]) -> Stack | None:
    """The axis that all leaves have more than those of the single module; None if it is none.

    Of two it is the one without which more leaves are like those of the single module.
    """
    if branch.stacked is not None or branch.cls is None or branch.cls not in single:
        return None
    alone, stacked = single[branch.cls], _shapes(branch)
    ranks = {path: len(shape) + 1 for path, shape in alone.items()}
    if {path: len(shape) for path, shape in stacked.items()} != ranks:
        return None
    stacks: dict[Stack, int] = {}
    for axis in AXES:
        sizes = {shape[axis] if axis < len(shape) else None for shape in stacked.values()}
        if len(sizes) == 1 and (size := sizes.pop()) is not None:
            bare = _shapes(without(branch, Stack(axis, size)))
            stacks[Stack(axis, size)] = sum(alone[path] == shape for path, shape in bare.items())
    return max(stacks, key=lambda stack: stacks[stack], default=None)


def _branches(branch: BranchSeen) -> Iterator[BranchSeen]:
    yield branch
    for item in branch.items.values():
        if isinstance(item, BranchSeen):
            yield from _branches(item)


def _shapes(branch: BranchSeen) -> Shapes:
    """The shape of each leaf; nothing where a leaf is no array."""
    leaves = [*leaves_of(branch)]
    found = {path: leaf.value.shape for path, leaf in leaves if isinstance(leaf.value, ArraySeen)}
    return found if len(found) == len(leaves) else {}
