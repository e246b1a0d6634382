"""Whether trees of two specs can be alike: of `Same` in one signature, some no value satisfies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never, get_args

from ..report import Path, show_path
from .describe import class_name, describe
from .dims import VariadicDim
from .node_groups import StateSpec, ValueSpec, WrapperSpec
from .nodes import (
    Anything,
    Array,
    EntriesSpec,
    Instance,
    Leaf,
    Node,
    NoValue,
    Partition,
    SchemaRef,
    Spec,
    Union,
)
from .questions import container_of, root_of
from .words import Likeness

#: In what trees may agree, the most first.
STRICT: Final = get_args(Likeness)


def less_strict(one: Likeness, other: Likeness) -> Likeness:
    """In what two trees agree that each agree with the others in their own way."""
    return one if STRICT.index(one) > STRICT.index(other) else other


def why_never(one: Spec, other: Spec, by: Likeness) -> str:
    """Why no tree of one spec is like any tree of the other; empty where some may be."""
    if by == "structure" and {container_of(one), container_of(other)} == {"state", "dict"}:
        return "a State is no dict"
    for first, second in ((one, other), (other, one)):
        theirs = dict(_leaves(second, (), frozenset()))
        for path, leaf in _leaves(first, (), frozenset()):
            if not _may_have(second, path):
                return f"{show_path(path)} is in {describe(first)} alone"
            if path in theirs and (text := _apart(leaf, theirs[path], by)):
                return f"{show_path(path)} is {text}"
    return ""


def _leaves(spec: Spec, path: Path, seen: frozenset[SchemaRef]) -> Iterator[tuple[Path, Leaf]]:
    """Yields the leaves that every tree has."""
    match spec:
        case Leaf():
            yield path, spec
        case Array() | Partition() | Instance():
            yield path, Leaf(None, spec)
        case Node(ref):
            root = root_of(ref)
            if root in seen:
                return
            for item in ref.resolve().fields:
                if not item.optional and item.shared is None:
                    yield from _leaves(item.spec, (*path, item.key), seen | {root})
        case EntriesSpec(items):
            for index, entry in enumerate(items):
                if entry is not None:
                    yield from _leaves(entry, (*path, index), seen)
        case WrapperSpec():
            yield from _leaves(spec.inner, path, seen)
        case Union(options) if all(map(_is_partition, options)):
            yield from _leaves(options[0], path, seen)
        case Anything() | Union() | ValueSpec() | StateSpec():
            return
        case _:
            assert_never(spec)


def _is_partition(spec: Spec) -> bool:
    return isinstance(spec.value if isinstance(spec, Leaf) else spec, Partition)


def _may_have(spec: Spec, path: Path) -> bool:
    """Whether a tree may have something at a path."""
    if not path:
        return spec != NoValue()
    match spec:
        case Node(ref):
            schema = ref.resolve()
            found = next((item for item in schema.fields if item.key == path[0]), None)
            if found is None:
                return bool(schema.extra.allowed or schema.extra.patterns)
            return _may_have(found.spec, path[1:])
        case EntriesSpec(items, extra=extra):
            at = path[0]
            item = items[at] if isinstance(at, int) and 0 <= at < len(items) else None
            return bool(extra.allowed) if item is None else _may_have(item, path[1:])
        case WrapperSpec():
            return _may_have(spec.inner, path)
        case Anything() | Union() | ValueSpec() | StateSpec():
            return True
        case _:
            assert_never(spec)


def _apart(one: Leaf, other: Leaf, by: Likeness) -> str:
    """What two leaves can't have in common."""
    if by == "keys":
        return ""
    if by == "structure" and one.kind is not other.kind and not _related(one.kind, other.kind):
        return f"{_kind(one)} and {_kind(other)}"
    if isinstance(one.value, Partition) is not isinstance(other.value, Partition):
        return f"{describe(one.value)} and {describe(other.value)}"
    if not (isinstance(one.value, Array) and isinstance(other.value, Array)):
        return ""
    if by == "structure" and _no_common_dtype(one.value, other.value):
        return f"{one.value.dtype} and {other.value.dtype}"
    return _other_rank(one.value, other.value)


def _related(one: type | None, other: type | None) -> bool:
    if one is None or other is None:
        return False
    return issubclass(one, other) or issubclass(other, one)


def _kind(leaf: Leaf) -> str:
    return "no Variable" if leaf.kind is None else class_name(leaf.kind)


def _no_common_dtype(one: Array, other: Array) -> bool:
    names = (one.dtypes, other.dtypes)
    if any(found is None or not all(isinstance(item, str) for item in found) for found in names):
        return False
    return not set(one.dtypes or ()) & set(other.dtypes or ())


def _other_rank(one: Array, other: Array) -> str:
    if one.shape is None or other.shape is None or one.inserted or other.inserted:
        return ""
    if any(isinstance(dim, VariadicDim) for dim in (*one.shape, *other.shape)):
        return ""
    if len(one.shape) != len(other.shape):
        return f"of rank {len(one.shape)} and of rank {len(other.shape)}"
    return ""
