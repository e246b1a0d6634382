"""`migrate`: makes the declared tree of one that an older Flax, or a scanned twin, has written.

Older releases of Flax, and the scanned or unscanned twin of a model, keep the same arrays in
another tree. Each such difference is one step. Steps are taken as long as each leaves fewer
violations than before; the violations that remain are raised.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from typing_extensions import TypeForm

from .._compat.modules import is_module, module_tree
from .._compat.variables import is_variable, kind_of, mapping_of, raw_value
from ..checking import check
from ..derive.trees import abstract
from ..errors import StateTypeError
from ..report import Report, Violation, show_path
from . import document
from .alignment import Alignment
from .building import as_declared, finished
from .declared import Declared
from .libraries import is_dict, is_list_or_tuple, jax_
from .stored import Path, StoredLeaf, nested, numbered

T = TypeVar("T")
_STRUCTURAL: Final = ("missing", "extra", "key", "container", "array", "kind")
_MAX_STEPS: Final = 16
_MAX_PLACES: Final = 24
_MAX_ENTRIES: Final = 1024
_AXES: Final = (0, 1)
_OPTIMIZER: Final = frozenset(("model", "opt_state", "step"))
_MODEL_IN_OPTIMIZER: Final = "the model's state stands in the optimizer's, as up to Flax 0.10"
#: Whether an optimizer's state leaves out the model, as it does since Flax 0.11.
_GONE_FROM_OPTIMIZER: Final = hasattr(nnx, "ModelAndOptimizer")


@dataclass(frozen=True, slots=True)
class Moved(StoredLeaf):
    """A leaf that a step makes: an entry of one stacked leaf, or a stack of several leaves.

    Attributes:
      parts: the one stacked leaf, or the leaves to stack.
      index: the entry's position along `axis`; None for a stack.
      axis: the axis of the stack.
    """

    parts: tuple[StoredLeaf, ...] = ()
    index: int | None = None
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Migration:
    """The result of all steps.

    Attributes:
      alignment: the tree after all steps, aligned with the hint.
      report: the violations that remain.
      steps: one line for each step, for people.
    """

    alignment: Alignment
    report: Report
    steps: tuple[str, ...]


def migrate(state: Any, hint: TypeForm[T], *, dims: Mapping[str, int] | None = None) -> T:
    """Turns the tree of an older Flax, or of a scanned twin, into the one that a hint declares.

    It knows: a key ``value`` above each array (``VariableState`` of older Flax), lists
    with str keys, PRNG keys as plain numbers, the model's state inside of the optimizer's (up to
    Flax 0.10), a tree one level too deep (``params``), layers that are stacked for ``nnx.scan`` or
    ``nnx.vmap`` where a list is declared, and the reverse.

    Args:
      state: a state, a pure dict or a restored tree. Its arrays are not changed; those that stay
        whole are not copied.
      hint: a schema or a form of one.
      dims: sizes of the hint's outermost names.

    Raises:
      StateTypeError: the tree still does not fit after all steps; the report says where.
      SchemaError: the hint means nothing.
    """
    __tracebackhide__ = True
    declared = Declared.of(hint)
    tree = module_tree(state).mapping if is_module(state) else state
    values: dict[Path, Any] = {}
    kinds: dict[str, str] = {}
    leaves = [_leaf(path, leaf, values, kinds) for path, leaf in _flat(tree, ())]
    found = plan(nested((leaf.path, leaf) for leaf in leaves), declared, dims)
    violations = (*found.report.violations, *_other_kinds(found.alignment, kinds))
    if violations:
        cause = "; ".join(found.steps)
        report = Report(found.report.hint, violations, found.report.dims, cause=cause)
        raise StateTypeError(f"can't be migrated: it {report}", report)
    target = abstract(hint, like=found.alignment.kinded, dims=dims)
    arrays = {
        slot.path: _as_jax(as_declared(slot, value_of(slot.stored, values)))
        for slot in found.alignment.slots
    }
    migrated: T = finished(target, arrays, hint)
    return check(migrated, hint, dims=dims)


def _as_jax(value: Any) -> Any:
    """A JAX array of the numpy array that a reader gives; any other value as it is."""
    return jax_.numpy.asarray(value) if isinstance(value, np.ndarray | np.generic) else value


def _flat(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    mapping = mapping_of(tree)
    items: Any = None
    if mapping is not None:
        items = mapping.items()
    elif is_list_or_tuple(tree):
        items = enumerate(tree)
    if items is None:
        yield path, tree
        return
    for key, item in items:
        yield from _flat(item, (*path, key))


def _leaf(path: Path, leaf: Any, values: dict[Path, Any], kinds: dict[str, str]) -> StoredLeaf:
    value = raw_value(leaf) if is_variable(leaf) else leaf
    if is_variable(leaf):
        kinds[show_path(path)] = kind_of(leaf).__name__
    values[path] = value
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return StoredLeaf(path, what="empty" if value is None else "string")
    return StoredLeaf(path, tuple(value.shape), value.dtype)


def _other_kinds(alignment: Alignment, kinds: Mapping[str, str]) -> Iterator[Violation]:
    for slot in alignment.slots:
        wanted = None if slot.spec is None else slot.spec.kind
        found = kinds.get(show_path(slot.stored.path))
        if wanted is not None and found is not None and not document.is_kind(found, wanted):
            yield Violation(show_path(slot.leaf), "kind", wanted.__name__, found, "", slot.leaf)


def value_of(leaf: StoredLeaf, values: Mapping[Path, Any]) -> Any:
    """The array of a leaf, made of the arrays of its parts."""
    if not isinstance(leaf, Moved):
        return values[leaf.path]
    parts = [value_of(part, values) for part in leaf.parts]
    if leaf.index is None:
        return jnp.stack(parts, leaf.axis)
    return jax_.lax.index_in_dim(parts[0], leaf.index, leaf.axis, keepdims=False)


def bases(leaf: StoredLeaf) -> Iterator[StoredLeaf]:
    """Yields the stored leaves that a leaf is made of."""
    if not isinstance(leaf, Moved):
        yield leaf
        return
    for part in leaf.parts:
        yield from bases(part)


# -- Steps ---------------------------------------------------------------------------------


def plan(stored: Any, declared: Declared, dims: Mapping[str, int] | None) -> Migration:
    """Takes steps as long as each leaves fewer violations than before."""
    steps: list[str] = []
    alignment = Alignment.of(stored, declared.spec)
    report = declared.judge(alignment.tree, dims)
    if is_dict(stored) and set(stored) >= _OPTIMIZER and _GONE_FROM_OPTIMIZER:
        rest = {key: item for key, item in stored.items() if key != "model"}
        without = Alignment.of(rest, declared.spec)
        again = declared.judge(without.tree, dims)
        if len(again.violations) <= len(report.violations):
            steps.append(_MODEL_IN_OPTIMIZER)
            stored, alignment, report = rest, without, again
    for _ in range(_MAX_STEPS):
        if report:
            break
        better = _better(stored, declared, dims, report)
        if better is None:
            break
        text, stored, alignment, report = better
        steps.append(text)
    return Migration(alignment, report, tuple(steps))


def _better(
    stored: Any, declared: Declared, dims: Mapping[str, int] | None, report: Report
) -> tuple[str, Any, Alignment, Report] | None:
    found: tuple[str, Any, Alignment, Report] | None = None
    least = len(report.violations)
    for text, path, tree in _candidates(stored, report):
        alignment = Alignment.of(tree, declared.spec)
        again = declared.judge(alignment.tree, dims)
        if len(again.violations) < least and not (path and _is_other(again, path)):
            least, found = len(again.violations), (text, tree, alignment, again)
            if again:
                break
    return found


def _is_other(report: Report, path: Path) -> bool:
    """Whether the hint declares another structure than the step made at or below a path."""
    return any(
        violation.code in _STRUCTURAL and violation.keys[: len(path)] == path
        for violation in report.violations
    )


def _candidates(stored: Any, report: Report) -> Iterator[tuple[str, Path, Any]]:
    places: dict[Path, None] = {}
    for violation in report.violations:
        for size in range(len(violation.keys) + 1):
            places.setdefault(violation.keys[:size])
            if len(places) >= _MAX_PLACES:
                break
    for place in places:
        found = _stored_at(stored, place)
        if found is None or not is_dict(found[1]) or not found[1]:
            continue
        path, node = found
        shown = show_path(path) or "the tree"
        for key, below in node.items():
            if is_dict(below) and len(node) == 1:
                text = f"{shown} stands one level deeper, under {key!r}"
                yield text, (), _replaced(stored, path, below)
        for axis in _AXES:
            whole = _stack(node, axis)
            if whole is not None:
                text = f"{shown} has an entry per layer, as without nnx.scan; declared is a stack"
                yield text, place, _replaced(stored, path, whole)
            apart = _unstack(node, axis)
            if apart is not None:
                text = f"{shown} is stacked along axis {axis}, as by nnx.scan; declared are entries"
                yield text, place, _replaced(stored, path, apart)


def _stored_at(tree: Any, path: Path) -> tuple[Path, Any] | None:
    """The stored path and the node at a path, None if there is none; ints may be stored as text."""
    taken: list[Hashable] = []
    for key in path:
        if not is_dict(tree):
            return None
        if key not in tree and str(key) in tree:
            key = str(key)
        if key not in tree:
            return None
        tree = tree[key]
        taken.append(key)
    return tuple(taken), tree


def _replaced(tree: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    return {**tree, path[0]: _replaced(tree[path[0]], path[1:], value)}


def _structure(node: Any) -> Any:
    if is_dict(node):
        return {str(key): _structure(item) for key, item in node.items()}
    return node.shape, node.dtype


def _stack(node: dict[Hashable, Any], axis: int) -> Any:
    """Stacks the entries of a level; None if their leaves are not alike."""
    if not numbered(node):
        return None
    entries = [node[key] for key in sorted(node, key=lambda key: int(str(key)))]
    first = _structure(entries[0])
    if any(_structure(entry) != first for entry in entries[1:]):
        return None
    return _stacked(entries, axis)


def _stacked(entries: list[Any], axis: int) -> Any:
    if is_dict(entries[0]):
        return {key: _stacked([one[key] for one in entries], axis) for key in entries[0]}
    first: StoredLeaf = entries[0]
    axis = min(axis, len(first.shape))
    shape = (*first.shape[:axis], len(entries), *first.shape[axis:])
    return Moved(first.path, shape, first.dtype, first.what, parts=tuple(entries), axis=axis)


def _unstack(node: dict[Hashable, Any], axis: int) -> Any:
    """Takes a stack apart; None if its arrays differ in the size of the axis."""
    leaves = [leaf for _, leaf in _flat(node, ())]
    sizes = {leaf.shape[axis] if len(leaf.shape) > axis else None for leaf in leaves}
    if len(sizes) != 1 or numbered(node):
        return None
    (count,) = sizes
    if count is None or not 0 < count <= _MAX_ENTRIES:
        return None
    return {index: _entry(node, index, axis) for index in range(count)}


def _entry(node: Any, index: int, axis: int) -> Any:
    if is_dict(node):
        return {key: _entry(item, index, axis) for key, item in node.items()}
    shape = (*node.shape[:axis], *node.shape[axis + 1 :])
    return Moved(node.path, shape, node.dtype, node.what, parts=(node,), index=index, axis=axis)
