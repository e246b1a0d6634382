"""Questions about a spec that need no value: its parts, its dim names, whether it needs a leaf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from .dim_grammar import show_expr
from .dims import Dim, Expr, VariadicDim, names_of
from .node_groups import OneChildSpec, StateSpec, ValueSpec, WrapperSpec
from .nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Conditional,
    EntriesSpec,
    FlatSpec,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    Partition,
    PlacedAsSpec,
    RecordOf,
    SameSpec,
    Schema,
    SchemaRef,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Within,
)
from .words import Container


def outermost_names(spec: Spec) -> list[str]:
    """The names that belong to a call in which a hint stands."""
    match spec:
        case Node(ref) | Within(ref=ref):
            given = [name for item in ref.arguments for name in outermost_names(item)]
            return list(dict.fromkeys([*schema_names(ref.resolve()), *given]))
        case Argument(inner):
            return outermost_names(inner)
        case Bound(inner, links):
            linked = {name for name, _ in links}
            inner_names = [name for name in outermost_names(inner) if name not in linked]
            return list(dict.fromkeys([*inner_names, *own_names(spec)]))
        case Anything() | Union() | ValueSpec() | StateSpec():
            names = [name for part in parts(spec) for name in outermost_names(part)]
            return list(dict.fromkeys([*names, *own_names(spec)]))
        case _:
            assert_never(spec)


def parts(spec: Spec) -> tuple[Spec, ...]:
    """The specs directly below; what stands behind a `Node` is not below it."""
    match spec:
        case OneChildSpec():
            return (spec.inner,)
        case TupleOf(items, rest):
            return items if rest is None else (*items, rest)
        case ItemsOf(item=item):
            return (item,)
        case MappingOf(key=key, value=value):
            return (key, value)
        case RecordOf(fields=fields):
            return tuple(field for _, field in fields)
        case Leaf(value=value):
            return (value,)
        case Map(entry=entry):
            return (entry,)
        case EntriesSpec(items):
            return tuple(item for item in items if item is not None)
        case StateOfSpec(leaf):
            return (leaf,)
        case Union(options):
            return options
        case Conditional(yes=yes, no=no):
            return tuple(option for option in (yes, no) if option is not None)
        case Anything() | NoValue() | Instance() | Literally() | Array() | Partition() | Node():
            return ()
        case _:
            assert_never(spec)


def container_of(spec: Spec) -> Container:
    """The container class that the root of a tree must have."""
    match spec:
        case Node(ref):
            return ref.resolve().container
        case Map() | EntriesSpec() | StateOfSpec():
            return spec.container
        case Bound() | ScopedSpec() | SameSpec() | PlacedAsSpec():
            return container_of(spec.inner)
        case Anything() | Union() | ValueSpec() | StateSpec():
            return "any"
        case _:
            assert_never(spec)


def unbind(spec: Bound) -> tuple[list[tuple[tuple[str, Expr[str]], ...]], Spec]:
    """The links of each nested `Bind`, the outermost first, and what stands in them."""
    binds = [spec.links]
    inner = spec.inner
    while isinstance(inner, Bound):
        binds.append(inner.links)
        inner = inner.inner
    return binds, inner


def all_dims(spec: Array | Partition) -> tuple[Dim, ...]:
    """Every dim of an array, inserted ones first."""
    inserted = spec.inserted if isinstance(spec, Array) else ()
    return (*(axis for _, axis in inserted), *(spec.shape or ()))


def one_of(options: tuple[Spec, ...]) -> Spec:
    """A union, or what it is a union of where there is only one."""
    return options[0] if len(options) == 1 else Union(options)


def present(spec: Union) -> Spec:
    """A union without ``None``."""
    return one_of(tuple(option for option in spec.options if option != NoValue()))


def own_names(spec: Spec) -> Iterator[str]:
    """Yields the dim names that belong to the class in whose annotation `spec` stands."""
    match spec:
        case Array() | Partition():
            for dim in all_dims(spec):
                if isinstance(dim, VariadicDim):
                    yield from () if dim.name is None else (dim.name,)
                elif dim.expr is not None:
                    yield from names_of(dim.expr)
        case Bound(inner, links):
            linked = {name for name, _ in links}
            yield from (name for name in own_names(inner) if name not in linked)
            for _, expr in links:
                yield from names_of(expr)
        case Map(entry=entry, length=length):
            yield from own_names(entry)
            if length is not None:
                yield from names_of(length)
        case Node(ref) | Within(ref=ref):
            for argument in ref.arguments:
                yield from own_names(argument)
        case ScopedSpec() | Argument():
            return
        case Anything() | Union() | ValueSpec() | StateSpec():
            for part in parts(spec):
                yield from own_names(part)
        case _:
            assert_never(spec)


def schema_names(schema: Schema) -> list[str]:
    """The dim names of a schema, in the order in which they are first written."""
    names = [name for field in schema.fields for name in own_names(field.spec)]
    for pattern in schema.extra.patterns:
        names += own_names(pattern.entry)
        names += () if pattern.length is None else names_of(pattern.length)
    return list(dict.fromkeys(names))


def root_of(ref: SchemaRef) -> SchemaRef:
    """The schema that forms were made of."""
    base: SchemaRef | None = getattr(ref, "base", None)
    return ref if base is None else root_of(base)


def needs_leaf(spec: Spec, seen: frozenset[SchemaRef] = frozenset()) -> bool:
    """Whether a tree without leaves, which Flax drops, can't be a `spec`."""
    match spec:
        case WrapperSpec() | FlatSpec():
            return needs_leaf(spec.inner, seen)
        case Node(ref):
            root = root_of(ref)  # a form that reads paths makes a schema for each level
            if root in seen:
                return False
            seen |= {root}
            schema = ref.resolve()
            return any(
                not field.optional and field.shared is None and needs_leaf(field.spec, seen)
                for field in schema.fields
            ) or any(
                one.length is not None and _positive(one.length) and needs_leaf(one.entry, seen)
                for one in schema.extra.patterns
            )
        case EntriesSpec(items):
            return any(item is not None and needs_leaf(item, seen) for item in items)
        case Union(options):
            return all(needs_leaf(option, seen) for option in options)
        case Map(entry=entry, length=length):
            return (length is None or _positive(length)) and needs_leaf(entry, seen)
        case Conditional(yes=yes, no=no):
            return all(option is not None and needs_leaf(option, seen) for option in (yes, no))
        case StateOfSpec() | Anything() | NoValue():
            return False
        case ValueSpec() | Leaf() | Within() | ModuleState():
            return True
        case _:
            assert_never(spec)


def _positive(expr: Expr[str]) -> bool:
    """Whether a length is known to be more than none without any name."""
    return not any(True for _ in names_of(expr)) and show_expr(expr) != "0"
