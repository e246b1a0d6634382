"""The spec: what an annotation says, as a small frozen tree.

Everything else (checks, reports, documents, abstract states) is a function of this tree.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from re import Pattern
from typing import Any, Final, Literal, Protocol

from .dataclass import dataclass
from .dims import Axes, Axis, Dim, Expr, names_of, show

Path = tuple[Hashable, ...]
Container = Literal["any", "state", "dict"]
_MAX_NESTED: Final = 64  # forms that read paths make a new schema per level of a recursive one


# -- Values: what a Variable holds, or what stands in a state by itself -----------------------


@dataclass(frozen=True, slots=True)
class Anything:
    """``Any``: a leaf or a sub-tree of any kind."""


@dataclass(frozen=True, slots=True)
class NoValue:
    """``None``."""


@dataclass(frozen=True, slots=True)
class Instance:
    """``float``, ``jax.sharding.NamedSharding``: an instance of a class."""

    cls: type


@dataclass(frozen=True, slots=True)
class Literally:
    """``Literal[1, 2]``: one of these Python values, compared with its class."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """``Float[Array, "din dout"]``, ``jax.Array``: an array, by dtype and shape.

    Attributes:
      dtype: the name of the dtype class, e.g. ``Float``; empty for any dtype.
      dtypes: the names of the dtypes that fit, None for any.
      shape: its dims, None for any shape.
      cls: the class that the array must have; None for whatever has shape and dtype.
      abstract: a ``jax.ShapeDtypeStruct`` stands for the array.
      inserted: further axes with their places, the last inserted last: where a run of axes
        stands before one, its place in `shape` can't be known.
    """

    dtype: str
    dtypes: tuple[str | Pattern[str], ...] | None
    shape: tuple[Dim, ...] | None
    cls: type | None
    abstract: bool = False
    inserted: tuple[tuple[int, Axis], ...] = ()


@dataclass(frozen=True, slots=True)
class TupleOf:
    """``tuple[A, B]``; ``rest`` for ``tuple[A, ...]``."""

    items: tuple[Spec, ...]
    rest: Spec | None = None


@dataclass(frozen=True, slots=True)
class ItemsOf:
    """``list[A]``, ``Sequence[A]``: an instance of `cls`, every item of which fits."""

    cls: type
    item: Spec


@dataclass(frozen=True, slots=True)
class MappingOf:
    """``dict[K, V]``: an instance of `cls`, every key and value of which fits."""

    cls: type
    key: Spec
    value: Spec


@dataclass(frozen=True, slots=True)
class Record:
    """A NamedTuple, dataclass or TypedDict of values: `get` reads a field by name.

    Attributes:
      cls: its class.
      fields: name and spec of each field.
      required: the names that must be there; fewer than all for a TypedDict only.
    """

    cls: type
    fields: tuple[tuple[str, Spec], ...]
    required: frozenset[str]


@dataclass(frozen=True, slots=True)
class Predicate:
    """A beartype validator over a value."""

    text: str
    test: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Placed:
    """Really sharded as declared.

    Attributes:
      rules: pairs or a callable for logical names; None for those of the context.
    """

    rules: Any = None


@dataclass(frozen=True, slots=True)
class Partition:
    """A PartitionSpec or NamedSharding that stands for an array.

    Attributes:
      cls: which of the two.
      names: declared for the array's axes, None for any.
      shape: the array's, None for any: no more names than axes, sizes that can be divided.
      rules: of a `Placed` or `PlacedBy` that it stands for.
    """

    cls: type
    names: tuple[Any, ...] | None = None
    shape: tuple[Dim, ...] | None = None
    rules: Any = None


@dataclass(frozen=True, slots=True)
class Guarded:
    """``Annotated[X, Is[...]]`` on a value that is no leaf."""

    inner: Spec
    predicates: tuple[Predicate, ...]


# -- Trees ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaf:
    """A Variable of a kind, or a raw leaf.

    Attributes:
      kind: the Variable class; None for a raw leaf.
      value: what it holds.
      exact: no subclass of the kind.
      names: axis names in its sharding metadata, None for any; ``...`` for as many axes
        without a name as the rank leaves.
      predicates: validators over the value.
      by_dims: the names are declared by dims: metadata may be without any.
      placed: its array must be placed by these names, or by those of its metadata.
    """

    kind: type | None
    value: Spec
    exact: bool = False
    names: tuple[Any, ...] | None = None
    predicates: tuple[Predicate, ...] = ()
    by_dims: bool = False
    placed: Placed | None = None


class SchemaRef(Protocol):
    """Where a schema's fields come from: resolved when first needed, so schemas may recurse."""

    @property
    def name(self) -> str:
        """The schema as its user wrote it."""
        ...

    def resolve(self) -> Schema:
        """The fields; raises SchemaError where the declaration is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """A sub-state that a schema describes."""

    ref: SchemaRef


@dataclass(frozen=True, slots=True)
class Field:
    """One declared key of a schema.

    Attributes:
      name: the attribute.
      key: the state's key.
      spec: what stands there.
      optional: may be absent.
      shared: path of the Variable that this one is, dotted from the root.
    """

    name: str
    key: Hashable
    spec: Spec
    optional: bool = False
    shared: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What `Only` or `Rest` says of leaves that are not declared.

    Attributes:
      filter: an NNX filter.
      keep: the leaves that it selects stay; otherwise all others.
      path: the keys from the form's root to the level where the leaves are not declared.
    """

    filter: Any
    keep: bool
    path: Path


@dataclass(frozen=True, slots=True)
class Allowed:
    """Leaves that may stand under undeclared keys, at any depth.

    Attributes:
      kinds: of these Variable classes; None for any leaf.
      selections: what `Only` and `Rest` say of them.
    """

    kinds: tuple[type, ...] | None = None
    selections: tuple[Selection, ...] = ()


@dataclass(frozen=True, slots=True)
class Extra:
    """What may stand under keys that are not declared.

    Attributes:
      patterns: keys like ``layers_{}`` with what stands there.
      allowed: leaves that any of these allows.
    """

    patterns: tuple[tuple[str, Spec], ...] = ()
    allowed: tuple[Allowed, ...] = ()

    @property
    def open(self) -> bool:
        """Whether leaves of any kind are allowed."""
        return any(item.kinds is None for item in self.allowed)


@dataclass(frozen=True, slots=True)
class Schema:
    """The resolved fields of a schema class or of a form of one."""

    name: str
    fields: tuple[Field, ...]
    extra: Extra = Extra()
    container: Container = "any"


@dataclass(frozen=True, slots=True)
class Map:
    """``StateMap[int, S]``: one level of like entries; `length` where ``len`` is bound."""

    key: Literal["int", "str"]
    entry: Spec
    length: Expr[str] | None = None
    container: Container = "any"
    extra: Extra = Extra()


@dataclass(frozen=True, slots=True)
class Entries:
    """``Entries[A, None, B]``: int keys by position, None where nothing is kept."""

    items: tuple[Spec | None, ...]
    container: Container = "any"
    extra: Extra = Extra()


@dataclass(frozen=True, slots=True)
class Tree:
    """``StateOf[Leaf]``: a tree of any depth with like leaves."""

    leaf: Spec
    container: Container = "any"


@dataclass(frozen=True, slots=True)
class OneOf:
    """``A | B``."""

    options: tuple[Spec, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """``Bind[S, "din=d"]``: inner names as expressions over the outer ones."""

    inner: Spec
    links: tuple[tuple[str, Expr[str]], ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """``Scoped[S, "teacher"]``: the names of S, kept apart under a name."""

    inner: Spec
    scope: str


@dataclass(frozen=True, slots=True)
class Alike:
    """``Same[H, "T"]``: agrees with every other tree of the call that has this name."""

    inner: Spec
    group: str


@dataclass(frozen=True, slots=True)
class Decide:
    """A leaf that a filter may or may not select: the real leaf decides.

    Attributes:
      filter: an NNX filter.
      path: the keys from the form's root, for filters that read the path.
      yes: what a selected leaf must be, None where it must not be there.
      no: what the others must be, None where they must not be there.
    """

    filter: Any
    path: Path
    yes: Spec | None
    no: Spec | None


@dataclass(frozen=True, slots=True)
class InPlace:
    """``Annotated[Module, S]``: a live module whose state is like S."""

    cls: type
    inner: Spec


Spec = (
    Anything
    | NoValue
    | Instance
    | Literally
    | Array
    | TupleOf
    | ItemsOf
    | MappingOf
    | Record
    | Partition
    | Guarded
    | Leaf
    | Node
    | Map
    | Entries
    | Tree
    | OneOf
    | Bound
    | Apart
    | Alike
    | Decide
    | InPlace
)


def parts(spec: Spec) -> tuple[Spec, ...]:
    """The specs directly below; what stands behind a `Node` is not below it."""
    match spec:
        case TupleOf(items, rest):
            return items if rest is None else (*items, rest)
        case ItemsOf(item=item):
            return (item,)
        case MappingOf(key=key, value=value):
            return (key, value)
        case Record(fields=fields):
            return tuple(field for _, field in fields)
        case Leaf(value=value):
            return (value,)
        case Map(entry=entry):
            return (entry,)
        case Entries(items):
            return tuple(item for item in items if item is not None)
        case Tree(leaf):
            return (leaf,)
        case OneOf(options):
            return options
        case Guarded(inner=inner) | Bound(inner=inner) | Apart(inner=inner) | Alike(inner=inner):
            return (inner,)
        case InPlace(inner=inner):
            return (inner,)
        case Decide(yes=yes, no=no):
            return tuple(option for option in (yes, no) if option is not None)
        case _:
            return ()


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
    return options[0] if len(options) == 1 else OneOf(options)


def present(spec: OneOf) -> Spec:
    """A union without ``None``."""
    return one_of(tuple(option for option in spec.options if option != NoValue()))


def own_names(spec: Spec) -> Iterator[str]:
    """Yields the dim names that belong to the class in whose annotation `spec` stands."""
    match spec:
        case Array() | Partition():
            for dim in all_dims(spec):
                if isinstance(dim, Axes):
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
        case Apart():
            return
        case _:
            for part in parts(spec):
                yield from own_names(part)


def schema_names(schema: Schema) -> list[str]:
    """The dim names of a schema, in the order in which they are first written."""
    specs = [field.spec for field in schema.fields] + [spec for _, spec in schema.extra.patterns]
    return list(dict.fromkeys(name for spec in specs for name in own_names(spec)))


def needs_leaf(spec: Spec, seen: frozenset[SchemaRef] = frozenset()) -> bool:
    """Whether a tree without leaves, which Flax drops, can't be a `spec`."""
    match spec:
        case Node(ref):
            if ref in seen or len(seen) > _MAX_NESTED:
                return False
            seen |= {ref}
            return any(
                not field.optional and field.shared is None and needs_leaf(field.spec, seen)
                for field in ref.resolve().fields
            )
        case Bound(inner=inner) | Apart(inner=inner) | Alike(inner=inner):
            return needs_leaf(inner, seen)
        case Entries(items):
            return any(item is not None and needs_leaf(item, seen) for item in items)
        case OneOf(options):
            return all(needs_leaf(option, seen) for option in options)
        case Map(entry=entry, length=length):
            return False if length is None else _positive(length) and needs_leaf(entry, seen)
        case Tree() | Anything() | NoValue() | Decide():
            return False
        case _:
            return True


def _positive(expr: Expr[str]) -> bool:
    """Whether a length is known to be more than none without any name."""
    return not any(True for _ in names_of(expr)) and show(expr) != "0"
