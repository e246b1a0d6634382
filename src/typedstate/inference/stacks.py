"""Finds stacks: states whose leaves have a further axis from ``nnx.vmap`` or ``nnx.scan``.

`infer` calls `unstacked`. The Flax layers in a stack show the further axis: a kernel of
``nnx.Linear`` has two axes, in a stack three.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from flax import nnx

from .catalogue import around_of, is_flax_layer, layer_of, takes_any_rank
from .observe import ArraySeen, BranchSeen, LeafSeen, Stack, leaves_of
from .text import key_text

AXES = (0, 1)
_MAX_INSIDE = 2
#: Logical names of the axis along which layers are stacked; none that meshes have.
_LAYERS: Final = re.compile(r"(^|_)(layers?|blocks?)$")


def unstacked(root: BranchSeen) -> BranchSeen:
    """The tree, in which each stack is replaced by one of its entries, marked as stacked."""
    stack = _stack_of(root)
    if stack is None or not _is_ensemble(root, stack):
        return _inner(root)
    return _entry(root, stack)


def _is_ensemble(root: BranchSeen, stack: Stack) -> bool:
    """Whether a stack is of whole models; that of a single branch is the branch's own."""
    if root.cls is None or is_flax_layer(root.cls) or len(root.items) < 2:
        return False
    return stack.kinds is None or all(map(_is_stream, _kinds(root) - {*_stacked_by(stack)}))


def _stacked_by(stack: Stack) -> tuple[type, ...]:
    return (*(stack.kinds or ()), *(_stacked_by(stack.within) if stack.within else ()))


def _is_stream(kind: type | None) -> bool:
    return kind is not None and issubclass(kind, nnx.RngState)


def _is_param(kind: type) -> bool:
    return issubclass(kind, nnx.Param)


def _inner(branch: BranchSeen) -> BranchSeen:
    items = {
        key: _entry_or_inner(item) if isinstance(item, BranchSeen) else item
        for key, item in branch.items.items()
    }
    return replace(branch, items=items)


def _entry_or_inner(branch: BranchSeen) -> BranchSeen:
    stack = _stack_of(branch)
    return _inner(branch) if stack is None else _entry(branch, stack)


def _entry(branch: BranchSeen, stack: Stack) -> BranchSeen:
    """One entry of a stack, marked as stacked."""
    bare = branch if stack.within is None else without(branch, stack.within)
    return replace(_inner(without(bare, stack)), stacked=stack)


def _stack_of(branch: BranchSeen) -> Stack | None:
    """The further axis of all leaves of a branch; None if there is none."""
    stack = _axis_of(branch)
    if stack is None or stack.kinds is not None:
        named = _named_axis(branch)
        if named is not None:
            rest = _axis_of(without(branch, named), named.kinds or ())
            alike = rest is not None and rest.kinds is not None and rest.size == named.size
            return replace(rest, within=named) if rest is not None and alike else named
    return None if stack is None else _with_partition(branch, stack)


def _named_axis(branch: BranchSeen) -> Stack | None:
    """The axis that the metadata of all leaves of some kinds names as that of layers."""
    leaves = list(_leaves(branch))
    found = {axis for axis in map(_layers_axis, leaves) if axis is not None}
    named = [leaf.kind for leaf in leaves if _layers_axis(leaf) is not None]
    if len(found) != 1 or None in named:
        return None
    axis, size, name = found.pop()
    for leaf in leaves:  # one without names has the axis in its place
        if leaf.kind in named and _leaf_size(leaf, axis) != size:
            return None
        if leaf.kind in named and leaf.names is not None and _layers_axis(leaf) is None:
            return None
    kinds = tuple(kind for kind in dict.fromkeys(named) if kind is not None)
    return Stack(axis, size, kinds if {leaf.kind for leaf in leaves} - {*kinds} else None, name)


def _layers_axis(leaf: LeafSeen) -> tuple[int, int, str] | None:
    """The position of an axis of layers in a leaf, its size, and its name."""
    if leaf.names is None:
        return None
    for axis, name in enumerate(leaf.names):
        size = _leaf_size(leaf, axis)
        if isinstance(name, str) and _LAYERS.search(name) and size:
            return axis, size, name
    return None


def _with_partition(branch: BranchSeen, stack: Stack) -> Stack:
    within = None if stack.within is None else _with_partition(branch, stack.within)
    return replace(stack, partition=_partition(branch, stack), within=within)


def _partition(branch: BranchSeen, stack: Stack) -> Any:
    """The name of the stacked axis in the leaves' sharding metadata, ``...`` if it has no entry."""
    leaves = [leaf for leaf in _leaves(branch) if stack.kinds is None or leaf.kind in stack.kinds]
    named = [leaf for leaf in leaves if leaf.names is not None]
    if not any(_is_whole(leaf) for leaf in named):
        return ...
    entries = {name for leaf in named for name in (leaf.names or ())[stack.axis : stack.axis + 1]}
    return entries.pop() if len(entries) == 1 else ...


def _is_whole(leaf: LeafSeen) -> bool:
    return isinstance(leaf.value, ArraySeen) and len(leaf.names or ()) == len(leaf.value.shape)


def _axis_of(branch: BranchSeen, settled: tuple[type, ...] = ()) -> Stack | None:
    """The axis that Flax's layers have more than they should; `settled` kinds do not have it."""
    every = [(item, key) for item, key in _layers(branch, "") if _kinds(item)]
    # streams may be the same for all entries
    layers = [(item, key) for item, key in every if not all(map(_is_stream, _kinds(item)))] or every
    if not layers or any(layer_of(item, key) is not None for item, key in layers):
        return None
    for axis in AXES:
        size = _size_of(layers[0][0], axis)
        if size is None:
            continue
        stack = Stack(axis, size)
        if all(_fits_without(item, key, stack) for item, key in layers):
            sizes = {_leaf_size(leaf, axis) for leaf in _leaves(branch)}
            if sizes == {size}:
                return stack
            kinds = _stacked_kinds(branch, axis, size, settled)
            if kinds is not None:
                found = None if settled else _of_two_axes(branch, layers)
                return found or Stack(axis, size, kinds)
    return None if settled else _of_two_axes(branch, layers)


def _of_two_axes(branch: BranchSeen, layers: list[tuple[BranchSeen, str]]) -> Stack | None:
    """The axes of Params and of other kinds, as ``StateAxes({nnx.Param: 1, ...: 0})`` sets them."""
    kinds = _kinds(branch)
    known = sorted((kind for kind in kinds if kind is not None), key=_name)
    params = tuple(kind for kind in known if _is_param(kind))
    others = kinds - {*params}
    if not params or not others or None in others:
        return None
    for axis, other in itertools.permutations(AXES):
        sizes = {_leaf_size(leaf, axis) for leaf in _leaves(branch) if leaf.kind in params}
        size = sizes.pop() if len(sizes) == 1 else None
        stacked = None if size is None else _stacked_kinds(branch, other, size, params)
        if size is None or not stacked or not all(map(_is_stream, others - {*stacked})):
            continue
        within = Stack(axis, size, params)
        both = Stack(other, size, stacked, within=within)
        bare = ((without(without(item, within), both), key) for item, key in layers)
        if all(layer_of(item, key) is not None for item, key in bare):
            return both
    return None


def _name(kind: type) -> str:
    return kind.__name__


def _fits_without(item: BranchSeen, key: str, stack: Stack, depth: int = 0) -> bool:
    """Whether a layer is one of Flax's without an axis, or without those of stacks inside too."""
    bare = without(item, stack)
    if layer_of(bare, key) is not None:
        return True
    size = _size_of(bare, 0)
    inside = depth < _MAX_INSIDE and size is not None
    return inside and _fits_without(bare, key, Stack(0, size or 0), depth + 1)


def _layers(branch: BranchSeen, key: str) -> Iterator[tuple[BranchSeen, str]]:
    known = is_flax_layer(branch.cls) and around_of(branch) is None
    if known and not takes_any_rank(branch.cls):
        yield branch, key
        return
    for name, item in branch.items.items():
        if isinstance(item, BranchSeen):
            yield from _layers(item, key_text(name))


def _leaves(branch: BranchSeen) -> Iterator[LeafSeen]:
    return (leaf for _, leaf in leaves_of(branch))


def _kinds(branch: BranchSeen) -> set[type | None]:
    return {leaf.kind for leaf in _leaves(branch)}


def _size_of(branch: BranchSeen, axis: int) -> int | None:
    sizes = {_leaf_size(leaf, axis) for leaf in _leaves(branch)}
    return sizes.pop() if len(sizes) == 1 else None


def _leaf_size(leaf: LeafSeen, axis: int) -> int | None:
    shaped = isinstance(leaf.value, ArraySeen) and axis < len(leaf.value.shape)
    return leaf.value.shape[axis] if shaped else None  # type: ignore[union-attr]


def _stacked_kinds(
    branch: BranchSeen, axis: int, size: int, settled: tuple[type, ...]
) -> tuple[type, ...] | None:
    """The Variable classes whose leaves have the axis, if no leaf of another class has it."""
    by_kind: dict[type | None, set[bool]] = {}
    for leaf in _leaves(branch):
        if leaf.kind not in settled:
            by_kind.setdefault(leaf.kind, set()).add(_leaf_size(leaf, axis) == size)
    if None in by_kind or any(len(found) > 1 for found in by_kind.values()):
        return None
    return tuple(kind for kind, found in by_kind.items() if kind is not None and found == {True})


def without(branch: BranchSeen, stack: Stack) -> BranchSeen:
    """One entry of a stack: its leaves without the further axis."""
    items = {
        key: without(item, stack) if isinstance(item, BranchSeen) else _without_axis(item, stack)
        for key, item in branch.items.items()
    }
    return replace(branch, items=items)


def _without_axis(seen: LeafSeen, stack: Stack) -> LeafSeen:
    value = seen.value
    if not isinstance(value, ArraySeen) or (
        stack.kinds is not None and seen.kind not in stack.kinds
    ):
        return seen
    shape = (*value.shape[: stack.axis], *value.shape[stack.axis + 1 :])
    names = seen.names
    if names is not None and stack.partition is not ... and stack.axis < len(names):
        names = (*names[: stack.axis], *names[stack.axis + 1 :])
        names = None if all(name is None for name in names) else names
    return replace(seen, value=replace(value, shape=shape), names=names)
