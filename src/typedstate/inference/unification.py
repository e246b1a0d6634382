"""`unify`: whether an observed branch fits the schema of a layer, and the sizes of its dims."""

from __future__ import annotations

from typing import Any, assert_never, cast

from flax import nnx

from .._compat.unknown_kind import UnknownKind
from .._spec.dims import Name, VariadicDim, evaluate, names_of, solve
from .._spec.dtypes import dtype_name
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Array,
    Bound,
    Field,
    Leaf,
    Map,
    Node,
    NoValue,
    Spec,
    StateOfSpec,
    Union,
)
from .._spec.questions import needs_leaf
from .observe import ArraySeen, BranchSeen, LeafSeen, Seen, ValueSeen

Sizes = dict[str, Any]


def unify(spec: Spec, seen: Seen, sizes: Sizes) -> bool:
    """Whether an observed tree fits a schema of the catalogue; adds the sizes of its dims."""
    match spec:
        case Anything():
            return True
        case Node(ref):
            return isinstance(seen, BranchSeen) and _fields(ref.resolve().fields, seen, sizes)
        case Bound(inner, links):
            below: Sizes = {}
            return unify(inner, seen, below) and _linked(links, below, sizes)
        case Map(entry=entry):
            return isinstance(seen, BranchSeen) and all(
                unify(entry, item, {}) for item in seen.items.values()
            )
        case StateOfSpec(leaf):
            if isinstance(seen, BranchSeen):
                return all(unify(spec, item, {}) for item in seen.items.values())
            return unify(leaf, seen, {})
        case Union(options):
            for option in options:
                trial = dict(sizes)
                if option != NoValue() and unify(option, seen, trial):
                    sizes.update(trial)
                    return True
            return False
        case Leaf(kind, value):
            if not isinstance(seen, LeafSeen) or seen.shared is not None:
                return False
            same = seen.kind is None if kind is None else _is_kind(seen.kind, kind)
            return same and _value(value, seen.value, sizes)
        case Array():
            return isinstance(seen, LeafSeen) and _value(spec, seen.value, sizes)
        case ValueSpec() | StateSpec():
            return False
        case _:
            assert_never(spec)


def _is_kind(kind: type | None, wanted: type) -> bool:
    if kind is None or kind is nnx.Variable:
        return False
    return kind is UnknownKind or issubclass(kind, wanted)


def _fields(fields: tuple[Field, ...], seen: BranchSeen, sizes: Sizes) -> bool:
    if not seen.items.keys() <= {item.key for item in fields} or seen.stacked is not None:
        return False
    for item in fields:
        found = seen.items.get(item.key)
        if found is None:
            if not item.optional and needs_leaf(item.spec):
                return False
        elif not unify(item.spec, found, sizes):
            return False
    return True


def _linked(links: tuple[tuple[str, Any], ...], below: Sizes, sizes: Sizes) -> bool:
    for name, expr in links:
        size = below.get(name)
        if size is None:
            continue
        if not isinstance(size, int):
            if isinstance(expr, Name) and sizes.setdefault(str(cast(Any, expr).name), size) != size:
                return False
            continue
        solution = solve(expr, size, sizes)
        if solution is not None:
            if solution.size is None:
                return False
            sizes[solution.name] = solution.size
        elif all(known in sizes for known in names_of(expr)) and evaluate(expr, sizes) != size:
            return False
    return True


def _value(spec: Spec, seen: ValueSeen, sizes: Sizes) -> bool:
    match spec:
        case Anything():
            return True
        case Union(options):
            for option in options:
                trial = dict(sizes)
                if _value(option, seen, trial):
                    sizes.update(trial)
                    return True
            return False
        case Array():
            return isinstance(seen, ArraySeen) and _array(spec, seen, sizes)
        case ValueSpec() | StateSpec():
            return False
        case _:
            assert_never(spec)


def _array(spec: Array, seen: ArraySeen, sizes: Sizes) -> bool:
    if spec.cls is not None and not issubclass(seen.cls, spec.cls):
        return False
    if spec.dtypes is not None and not any(
        item in (name := dtype_name(seen.dtype), f"{name}_")
        if isinstance(item, str)
        else item.match(dtype_name(seen.dtype)) is not None
        for item in spec.dtypes
    ):
        return False
    if spec.shape is None:
        return True
    dims, shape = list(spec.shape), list(seen.shape)
    for place, dim in enumerate(dims):
        if isinstance(dim, VariadicDim):
            count = len(shape) - len(dims) + 1
            if count < 0:
                return False
            run = tuple(shape[place : place + count])
            if dim.name is not None and sizes.setdefault(dim.name, run) != run:
                return False
            dims[place : place + 1] = []
            shape[place : place + count] = []
            break
    if len(dims) != len(shape):
        return False
    return all(
        isinstance(dim, VariadicDim) or dim.expr is None or _size(dim.expr, size, sizes)
        for dim, size in zip(dims, shape, strict=True)
    )


def _size(expr: Any, size: int, sizes: Sizes) -> bool:
    solution = solve(expr, size, sizes)
    if solution is None:
        return evaluate(expr, sizes) == size
    if solution.size is None:
        return False
    sizes[solution.name] = solution.size
    return True
