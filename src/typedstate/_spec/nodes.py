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
from .._compat.storage import ANYWHERE, Storage
from ..report import Path
from .dims import Dim, Expr, SingleDim
from .leaf_conditions import PlacedSpec, Predicate
from .node_groups import ContainerSpec, LevelSpec, OneChildSpec, StateSpec, ValueSpec, WrapperSpec
from .schema_fields import (
    Extra as Extra,
    Field as Field,
    KeyPattern as KeyPattern,
    Schema as Schema,
)
from .words import Container, Likeness


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
      cls: the class. For ``int``, ``float`` and the like, a tracer without axes fits too.
      counts: whether for such a class a value fits that counts for one: a scalar of numpy, an int
        for a float.
    """

    cls: type
    counts: bool = False


@final
class Literally(ValueSpec, frozen=True):
    """``Literal[1, 2]``: one of these Python values, compared with its class."""

    values: tuple[Any, ...]


@final
class Array(ValueSpec, frozen=True):
    """``Float[Array, "din dout"]``, ``jax.Array``: an array, by dtype and shape.

    Attributes:
      dtype: the name of the dtype class, e.g. ``Float``; empty for any dtype.
      dtypes: the names of the dtypes that fit; None for any.
      shape: the dims; None for any shape.
      cls: the class of the array; None for any object with shape and dtype.
      abstract: whether a ``jax.ShapeDtypeStruct`` replaces the array.
      inserted: further axes with their positions in the order of insertion. They are not in
        `shape`, as their position behind a run of axes is only known for a real array.
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
      cls: the class of the record.
      fields: the name and the spec of each field.
      required: the names that must be present; all of them, except in a TypedDict.
    """

    cls: type
    fields: tuple[tuple[str, Spec], ...]
    required: frozenset[str]


@final
class Partition(ValueSpec, frozen=True):
    """A PartitionSpec or NamedSharding that replaces an array.

    Attributes:
      cls: the class, one of these two.
      names: the declared axis names of the array; None for any.
      shape: the dims of the array, to compare with names and mesh; None for any.
      rules: of a `Placed` or `PlacedBy` that it stands for.
      storage: the array's memory and sums.
    """

    cls: type
    names: tuple[Any, ...] | None = None
    shape: tuple[Dim, ...] | None = None
    rules: Any = None
    storage: Storage = ANYWHERE


@final
class Validated(ValueSpec, OneChildSpec, frozen=True):
    """``Annotated[X, Is[...]]`` on a value that is no leaf."""

    inner: Spec
    predicates: tuple[Predicate, ...]


@final
class Leaf(StateSpec, frozen=True):
    """A Variable of a kind, or a raw leaf.

    Attributes:
      kind: the class of the Variable; None for a raw leaf.
      value: the spec of its value.
      exact: no subclass of the kind.
      names: axis names in its sharding metadata, None for any; ``...`` for all other axes.
      predicates: validators over the value.
      by_dims: the names are declared by dims: metadata may be without any.
      placed: its array must lie by these names, or by those of its metadata.
      stacked: the axes that `Stacked` put in without a name; metadata may leave out their None.
      storage: the memory of its array, and the sums that its sharding leaves to be made.
    """

    kind: type | None
    value: Spec
    exact: bool = False
    names: tuple[Any, ...] | None = None
    predicates: tuple[Predicate, ...] = ()
    by_dims: bool = False
    placed: PlacedSpec | None = None
    stacked: tuple[int, ...] = ()
    storage: Storage = ANYWHERE


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
      inner: the spec of the argument.
      owner: an object for the subscription that wrote it.
      index: the position of the argument, then that of an alternative of a union in it.
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
      inner: the spec of the nested tree.
      separator: the text that joins the keys of a path to one name; None for paths as tuples.
    """

    inner: Spec
    separator: str | None = None


@final
class Conditional(StateSpec, frozen=True):
    """A leaf that a filter may or may not select: the real leaf decides.

    Attributes:
      filter: an NNX filter.
      path: the keys from the form's root, for filters that read the path.
      yes: the spec of a selected leaf; None if it must be absent.
      no: the spec of a leaf that is not selected; None if it must be absent.
      open: whether the tree does not show what the filter reads, so that either spec fits.
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
