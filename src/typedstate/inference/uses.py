"""Drafts of the classes that `infer` makes, and uses: the content of each of their fields."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from .._compat.storage import ANYWHERE, Storage
from .numbered import Run
from .observe import BranchSeen, Stack
from .roles import LAYERS, Role

#: The size of an axis in each occurrence of a class; None if the axis is absent.
Sizes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A branch of like entries, by int keys or by names that mean nothing."""

    key: type


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A branch that is the state of an ``nnx.Optimizer``."""


@dataclass(slots=True, eq=False)
class Slot:
    """An axis of a leaf of the class, or a dim of a class that one of its fields uses.

    Attributes:
      sizes: the size in each occurrence of the class.
      role: the role of the axis.
      dim: the name of the dim in the field's class; empty for an axis of a leaf.
      field: the key of the field.
      many: whether several entries of a map have it, all with one size.
      unit: a key that is equal for the axes of one leaf, one layer or one sub-state.
      below: the inferred class that has the dim; None for a leaf or a Flax layer.
      group: the tied axes that it belongs to.
    """

    sizes: Sizes
    role: Role
    dim: str
    field: str
    unit: object
    many: bool = False
    below: Draft | None = None
    group: Group = None  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class Group:
    """Tied axes of a class: one dim.

    Attributes:
      slots: the axes.
      sizes: the size in each occurrence of the class.
      role: the common role of the axes.
      text: the dim as the class writes it: a name, a size, an expression; None if only a
        field's class names it.
      needed: a class above, or two axes here, say that it is one size.
      end: data enters or leaves the class there.
    """

    slots: list[Slot]
    sizes: Sizes
    role: Role
    text: str | None = None
    needed: bool = False
    end: bool = False

    @property
    def is_tied(self) -> bool:
        """Whether two axes, or all entries of a map, have it."""
        many = self.role.kind != LAYERS and any(slot.many for slot in self.slots)
        return len(self.slots) > 1 or many

    @property
    def is_name(self) -> bool:
        """Whether the dim is a name, which users of the class can link."""
        return self.text is not None and self.text.isidentifier()


@dataclass(frozen=True, slots=True)
class ArrayUse:
    """An array; `dims` None for any shape, `dtype` a name that jaxtyping has."""

    cls: type
    dtype: str
    dims: tuple[Slot | None, ...] | None


@dataclass(frozen=True, slots=True)
class TupleUse:
    """A tuple of values."""

    items: tuple[ValueUse, ...]


@dataclass(frozen=True, slots=True)
class DictUse:
    """A dict of values."""

    items: tuple[tuple[str, ValueUse], ...]


@dataclass(frozen=True, slots=True)
class OtherUse:
    """An instance of a class; None for anything."""

    cls: type | None


ValueUse = ArrayUse | TupleUse | DictUse | OtherUse


#: The key of a leaf, its axis names, and its memory and sums.
LeafNames = tuple[str, tuple[Any, ...] | None, Storage]


@dataclass(frozen=True, slots=True)
class LeafUse:
    """A leaf.

    Attributes:
      kind: the class of its Variable; None for a raw leaf.
      value: the use of its value.
      names: the axis names in its sharding metadata; None if it has none, or they differ.
      exact: whether all are of that kind itself.
      storage: the memory and the sums that all have.
    """

    kind: type | None
    value: ValueUse
    names: tuple[Any, ...] | None
    exact: bool = False
    storage: Storage = ANYWHERE


@dataclass(frozen=True, slots=True)
class LayerUse:
    """A class of the catalogue, with a slot for each of its dims that has a size here.

    Attributes:
      schema: the class of the catalogue.
      dims: its dims.
      names: the axis names in the sharding metadata of its leaves, by key, with their storage.
      keys: of its state, and whether all of its places have them.
      runs: its runs of axes, with a slot for each axis; none where the sizes may stay open.
    """

    schema: Any
    dims: tuple[tuple[str, Slot | None], ...]
    names: tuple[LeafNames, ...] = ()
    keys: tuple[tuple[str, bool], ...] = ()
    runs: tuple[tuple[str, tuple[Slot, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class AroundUse:
    """A generic class of the catalogue over others."""

    schema: Any
    inner: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class DraftUse:
    """An inferred class, with a slot for each of its groups that has a name."""

    draft: Draft
    dims: tuple[tuple[Group, Slot | None], ...]


@dataclass(frozen=True, slots=True)
class MapUse:
    """Like entries by int or str keys."""

    key: type
    entry: Use
    length: Slot | None


@dataclass(frozen=True, slots=True)
class CountedUse:
    """Like entries under numbered keys.

    Attributes:
      run: the keys.
      entry: the use of each.
      length: their number.
    """

    run: Run
    entry: Use
    length: Slot


@dataclass(frozen=True, slots=True)
class EntriesUse:
    """Entries by position.

    Attributes:
      items: the use at each position; None for an entry without state.
      optional: the positions that some occurrences lack.
    """

    items: tuple[Use | None, ...]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class StackedUse:
    """A stack of like sub-states."""

    inner: Use
    length: Slot
    stack: Stack


@dataclass(frozen=True, slots=True)
class UnionUse:
    """One of several."""

    options: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class OptimizerUse:
    """An ``nnx.Optimizer``.

    Attributes:
      node: the optimizer.
      model: the use of its model, which is a field beside it or its own.
      whole: whether the model is part of the optimizer's state.
    """

    node: Any
    model: Use | None
    whole: bool


Use = (
    LeafUse
    | LayerUse
    | AroundUse
    | DraftUse
    | MapUse
    | CountedUse
    | EntriesUse
    | StackedUse
    | UnionUse
    | OptimizerUse
)


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A key of a class."""

    key: Hashable
    use: Use
    optional: bool = False
    shared: str | None = None


@dataclass(slots=True, eq=False)
class Draft:
    """The draft of a class.

    Attributes:
      title: a suggested name.
      cls: the module class; None if it is not known.
      height: the number of levels above the leaves.
      seen: the branches that are occurrences of the class.
      places: for each of them the index of its example and its path.
      fields: the fields of the class.
      groups: the dims of the class.
      notes: comments about the class, e.g. on sizes that are equal in the only example.
      head: comments above the whole source.
      root: whether it is the class of the whole tree.
      roles: the roles of the axes of its weight, if an einsum tells them.
      bare: whether the whole tree is no class, but a Flax layer, a stack or entries; the draft then
        has it as its only field.
      made: the class itself, once it is made.
    """

    title: str
    cls: type | None
    height: int
    seen: list[BranchSeen] = field(default_factory=list[BranchSeen])
    places: list[tuple[int, tuple[Hashable, ...]]] = field(
        default_factory=list[tuple[int, tuple[Hashable, ...]]]
    )
    fields: list[FieldUse] = field(default_factory=list[FieldUse])
    groups: list[Group] = field(default_factory=list[Group])
    notes: list[str] = field(default_factory=list[str])
    head: list[str] = field(default_factory=list[str])
    root: bool = False
    roles: tuple[Role, ...] | None = None
    bare: bool = False
    made: Any = None
    index: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def has_leaves_only(self) -> bool:
        """Whether it is a layer of the user's own: it has leaves only."""
        return all(isinstance(item.use, LeafUse) for item in self.fields)

    def size_at(self, group: Group, branch: BranchSeen) -> int | None:
        """The size of one of its dims in one occurrence."""
        return group.sizes[self.index[id(branch)]]

    def add(self, branch: BranchSeen, place: tuple[int, tuple[Hashable, ...]]) -> None:
        """Adds an occurrence."""
        self.index[id(branch)] = len(self.seen)
        self.seen.append(branch)
        self.places.append(place)
