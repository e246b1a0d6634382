"""The classes that `infer` is about to make, and what stands behind each of their fields."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from .observe import BranchSeen, Stack
from .roles import LAYERS, Role

#: Sizes at each place where a class is seen; None where the axis is not there.
Sizes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries by int keys, or by names without a meaning."""

    key: type


@dataclass(frozen=True, slots=True)
class Optimizer:
    """The state of an ``nnx.Optimizer``."""


@dataclass(slots=True, eq=False)
class Slot:
    """One axis of a field, or a dim of what stands there.

    Attributes:
      sizes: at each place of the class.
      role: what it is for.
      dim: what the class below calls it; empty for an axis right here.
      field: the key under which it is.
      many: it stands in several entries of a map, all of which have one size.
      unit: what is equal for axes of one leaf, one layer or one sub-state.
      below: the inferred class that has it; None for an axis here or of a Flax layer.
      group: what it is one with.
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
    """Axes of a class that are one.

    Attributes:
      slots: those.
      sizes: at each place of the class.
      role: what they are for.
      text: how it is written in the class: a name, a size, an expression; None where only a
        class below has a name for it.
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
        """Whether it is a name of the class, which a class above can link."""
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


@dataclass(frozen=True, slots=True)
class LeafUse:
    """A leaf.

    Attributes:
      kind: None for a raw one.
      value: what it holds.
      names: the axis names in its sharding metadata, None where they differ or nothing says.
      exact: whether all are of that kind itself.
    """

    kind: type | None
    value: ValueUse
    names: tuple[Any, ...] | None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class LayerUse:
    """A class of the catalogue, with a slot for each of its dims that has a size here.

    Attributes:
      schema: that class.
      dims: its dims.
      names: the axis names in the sharding metadata of its leaves, by key.
      keys: of its state, and whether all of its places have them.
    """

    schema: Any
    dims: tuple[tuple[str, Slot | None], ...]
    names: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    keys: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class AroundUse:
    """A generic class of the catalogue over others."""

    schema: Any
    inner: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class DraftUse:
    """A class that is inferred too, with a slot for each of its groups that has a name."""

    draft: Draft
    dims: tuple[tuple[Group, Slot | None], ...]


@dataclass(frozen=True, slots=True)
class MapUse:
    """Like entries by int or str keys."""

    key: type
    entry: Use
    length: Slot | None


@dataclass(frozen=True, slots=True)
class EntriesUse:
    """Entries by position.

    Attributes:
      items: None where nothing is kept.
      optional: positions that some instances lack.
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
      model: what stands for its model: a field beside it, or one of its own.
      whole: the model stands in its own state.
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
    """A class to be.

    Attributes:
      title: a suggestion for its name.
      cls: the module class, None where that is not known.
      height: above the leaves.
      seen: each place where it is seen.
      places: the number of the example, and the path there.
      fields: of the class.
      groups: its dims.
      notes: what one size leaves open.
      head: what is to be said above the whole source.
      root: nothing is above it.
      roles: of the axes of its weight, where an einsum says them.
      bare: the whole is no class: a Flax layer, entries, which stand as its only field.
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
        """Whether it is a layer of the user's own: weights, and nothing below them."""
        return all(isinstance(item.use, LeafUse) for item in self.fields)

    def size_at(self, group: Group, branch: BranchSeen) -> int | None:
        """The size of one of its dims at a place."""
        return group.sizes[self.index[id(branch)]]

    def add(self, branch: BranchSeen, place: tuple[int, tuple[Hashable, ...]]) -> None:
        """Another place where it is seen."""
        self.index[id(branch)] = len(self.seen)
        self.seen.append(branch)
        self.places.append(place)


def drafts_of(use: Use) -> Iterator[DraftUse]:
    """The inferred classes that a field mentions."""
    return (found for found in uses_of(use) if isinstance(found, DraftUse))


def uses_of(use: Use) -> Iterator[Use]:
    """All uses within the use of a field, itself first."""
    yield use
    match use:
        case MapUse(entry=inner) | StackedUse(inner=inner):
            yield from uses_of(inner)
        case AroundUse(inner=items) | UnionUse(options=items):
            for item in items:
                yield from uses_of(item)
        case EntriesUse(entries):
            for entry in entries:
                if entry is not None:
                    yield from uses_of(entry)
        case OptimizerUse(model=model):
            if model is not None:
                yield from uses_of(model)
        case _:
            return


def replaced(use: Use, slots: dict[int, Slot | None]) -> Use:
    """The same with other slots; None for dims that are not seen from outside."""

    def of(slot: Slot | None) -> Slot | None:
        return None if slot is None else slots.get(id(slot), slot)

    def value(found: ValueUse) -> ValueUse:
        match found:
            case ArrayUse(dims=dims) if dims is not None:
                return replace(found, dims=tuple(map(of, dims)))
            case TupleUse(items):
                return TupleUse(tuple(map(value, items)))
            case DictUse(items):
                return DictUse(tuple((key, value(item)) for key, item in items))
            case _:
                return found

    match use:
        case LeafUse():
            return replace(use, value=value(use.value))
        case LayerUse(schema, dims):
            found = tuple((dim, of(slot)) for dim, slot in dims)
            return LayerUse(schema, found, use.names, use.keys)
        case DraftUse(draft, dims):
            return DraftUse(draft, tuple((group, of(slot)) for group, slot in dims))
        case AroundUse(schema, items):
            return AroundUse(schema, tuple(replaced(item, slots) for item in items))
        case UnionUse(items):
            return UnionUse(tuple(replaced(item, slots) for item in items))
        case MapUse(key, entry, length):
            return MapUse(key, replaced(entry, slots), of(length))
        case EntriesUse(items, optional):
            made = tuple(None if item is None else replaced(item, slots) for item in items)
            return EntriesUse(made, optional)
        case StackedUse(inner, length, stack):
            return StackedUse(replaced(inner, slots), of(length) or length, stack)
        case _:
            return use
