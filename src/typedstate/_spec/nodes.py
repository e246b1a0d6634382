"""The spec: what an annotation says, as a small frozen tree.

Everything else (checks, reports, documents, abstract states) is a function of this tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from re import Pattern
from typing import Any, Literal, Protocol, final

import msgspec
from msgspec.structs import force_setattr

from .._compat import variables
from ..report import Path
from .dims import Dim, Expr, SingleDim
from .leaf_conditions import PlacedSpec, Predicate
from .node_groups import ContainerSpec, LevelSpec, OneChildSpec, StateSpec, ValueSpec, WrapperSpec
from .schema_fields import (
    Container as Container,
    Extra as Extra,
    Field as Field,
    KeyPattern as KeyPattern,
    Schema as Schema,
)

Likeness = Literal["structure", "shapes", "keys"]


@final
class Anything(msgspec.Struct, frozen=True):
    """``Any``: a leaf or a sub-tree of any kind."""


@final
class NoValue(ValueSpec, frozen=True):
    """``None``."""


@final
class Instance(ValueSpec, frozen=True):
    """``float``, ``jax.sharding.NamedSharding``: an instance of a class.

    Attributes:
      cls: the class. For a number of Python's, a tracer without axes is as good.
      numpy: for a number of Python's, one of numpy's is as good.
    """

    cls: type
    numpy: bool = False


@final
class Literally(ValueSpec, frozen=True):
    """``Literal[1, 2]``: one of these Python values, compared with its class."""

    values: tuple[Any, ...]


@final
class Array(ValueSpec, frozen=True):
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
    inserted: tuple[tuple[int, SingleDim], ...] = ()

    def __post_init__(self) -> None:
        """Takes the class of this process for a copy of it that came from another."""
        if self.cls is not None:
            force_setattr(self, "cls", variables.array_class(self.cls))


@final
class TupleOf(ContainerSpec, frozen=True):
    """``tuple[A, B]``; ``rest`` for ``tuple[A, ...]``."""

    items: tuple[Spec, ...]
    rest: Spec | None = None


@final
class ItemsOf(ContainerSpec, frozen=True):
    """``list[A]``, ``Sequence[A]``: an instance of `cls`, every item of which fits."""

    cls: type
    item: Spec


@final
class MappingOf(ContainerSpec, frozen=True):
    """``dict[K, V]``: an instance of `cls`, every key and value of which fits."""

    cls: type
    key: Spec
    value: Spec


@final
class RecordOf(ContainerSpec, frozen=True):
    """A NamedTuple, dataclass or TypedDict of values: `get` reads a field by name.

    Attributes:
      cls: its class.
      fields: name and spec of each field.
      required: the names that must be there; fewer than all for a TypedDict only.
    """

    cls: type
    fields: tuple[tuple[str, Spec], ...]
    required: frozenset[str]


@final
class Partition(ValueSpec, frozen=True):
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


@final
class Validated(ValueSpec, OneChildSpec, frozen=True):
    """``Annotated[X, Is[...]]`` on a value that is no leaf."""

    inner: Spec
    predicates: tuple[Predicate, ...]


@final
class Leaf(StateSpec, frozen=True):
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
      stacked: the axes that `Stacked` put in without a name; metadata may leave out their None.
    """

    kind: type | None
    value: Spec
    exact: bool = False
    names: tuple[Any, ...] | None = None
    predicates: tuple[Predicate, ...] = ()
    by_dims: bool = False
    placed: PlacedSpec | None = None
    stacked: tuple[int, ...] = ()


class SchemaRef(Protocol):
    """A reference to a schema, whose fields are resolved when first needed: schemas may recurse."""

    @property
    def name(self) -> str:
        """The schema as its user wrote it."""
        ...

    @property
    def arguments(self) -> tuple[Spec, ...]:
        """The type arguments that are written where the schema stands."""
        ...

    @property
    def owners(self) -> Mapping[object, bool]:
        """Owners of the type arguments in the fields; True for those of the class statement."""
        ...

    def resolve(self) -> Schema:
        """The fields; raises SchemaError where the declaration is wrong."""
        ...


@final
class Node(LevelSpec, frozen=True):
    """A sub-state that a schema describes."""

    ref: SchemaRef


@final
class Map(LevelSpec, frozen=True):
    """``StateMap[int, S]``: one level of like entries; `length` where ``len`` is bound."""

    key: Literal["int", "str"]
    entry: Spec
    length: Expr[str] | None = None
    container: Container = "any"
    extra: Extra = Extra()


@final
class EntriesSpec(LevelSpec, frozen=True):
    """``Entries[A, None, B]``: int keys by position, None where nothing is kept."""

    items: tuple[Spec | None, ...]
    container: Container = "any"
    extra: Extra = Extra()


@final
class StateOfSpec(LevelSpec, frozen=True):
    """``StateOf[Leaf]``: a tree of any depth with like leaves."""

    leaf: Spec
    container: Container = "any"


@final
class Union(msgspec.Struct, frozen=True):
    """``A | B``."""

    options: tuple[Spec, ...]


@final
class Bound(WrapperSpec, frozen=True):
    """``Bind[S, "din=d"]``: inner names as expressions over the outer ones."""

    inner: Spec
    links: tuple[tuple[str, Expr[str]], ...]


@final
class Argument(WrapperSpec, frozen=True):
    """A type argument within a generic schema: its names are those of where it was written.

    Attributes:
      inner: what was written.
      owner: stands for the subscription that wrote it.
      index: of the argument, and of the alternative of a union in it.
    """

    inner: Spec
    owner: object
    index: tuple[int, ...]


@final
class Within(StateSpec, OneChildSpec, frozen=True):
    """A value, no state, with the names and type arguments of a schema: an optax NamedTuple."""

    inner: Spec
    ref: SchemaRef


@final
class ScopedSpec(WrapperSpec, frozen=True):
    """``Scoped[S, "teacher"]``: the names of S, kept apart under a name."""

    inner: Spec
    scope: str


@final
class SameSpec(WrapperSpec, frozen=True):
    """``Same[H, "T"]``: agrees, in what `by` says, with all trees of the call of this name."""

    inner: Spec
    group: str
    by: Likeness = "structure"


@final
class PlacedAsSpec(WrapperSpec, frozen=True):
    """``PlacedAs[H, "where"]``: each array is where that argument of the call puts its leaf."""

    inner: Spec
    argument: str


@final
class FlatSpec(StateSpec, OneChildSpec, frozen=True):
    """``Flat[S]``: every leaf by its whole path.

    Attributes:
      inner: the tree that it is, nested.
      separator: joins the keys of a path to one name; None where the path is a tuple.
    """

    inner: Spec
    separator: str | None = None


@final
class Conditional(StateSpec, frozen=True):
    """A leaf that a filter may or may not select: the real leaf decides.

    Attributes:
      filter: an NNX filter.
      path: the keys from the form's root, for filters that read the path.
      yes: what a selected leaf must be, None where it must not be there.
      no: what the others must be, None where they must not be there.
      open: nothing in the tree shows what the filter reads, so either will do.
    """

    filter: Any
    path: Path
    yes: Spec | None
    no: Spec | None
    open: bool = False


@final
class ModuleState(StateSpec, OneChildSpec, frozen=True):
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
    | RecordOf
    | Partition
    | Validated
    | Leaf
    | Node
    | Map
    | EntriesSpec
    | StateOfSpec
    | Union
    | Bound
    | Argument
    | Within
    | ScopedSpec
    | SameSpec
    | PlacedAsSpec
    | FlatSpec
    | Conditional
    | ModuleState
)
