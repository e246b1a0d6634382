"""Templates: the classes that `infer` is about to make, with numbers for their dims."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Signature = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class ArrayUse:
    """An array; `dims` None for any shape, `dtype` a name that jaxtyping has."""

    cls: type
    dtype: str
    dims: tuple[int, ...] | None


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
    """A leaf."""

    kind: type | None
    value: ValueUse
    names: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A sub-state; `args` gives each dim of its template as one of ours, None for its own."""

    template: Template
    args: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class MapUse:
    """Like entries by int keys; `length` is a dim, None where it is free."""

    entry: Use
    length: int | None


@dataclass(frozen=True, slots=True)
class EntriesUse:
    """Entries by position."""

    items: tuple[Use | None, ...]


Use = LeafUse | NodeUse | MapUse | EntriesUse


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A key of a template."""

    key: Hashable
    use: Use
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A class to be; two sub-states with equal fields are of the same one.

    Attributes:
      fields: of the class.
      dims: a suggested name for each dim.
      alone: for each dim, whether it is that of one sub-state only.
      title: a suggested name.
    """

    fields: tuple[FieldUse, ...]
    dims: tuple[str, ...] = field(compare=False)
    alone: tuple[bool, ...] = field(compare=False)
    title: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Slot:
    """An axis, or several that belong together, seen from outside.

    Attributes:
      signature: its sizes.
      leaves: paths of the leaves that have it.
      name: a suggested name.
      links: may be taken for one dim with others of the same size.
      direct: it is an axis of a leaf right here.
    """

    signature: Signature
    leaves: frozenset[tuple[Hashable, ...]]
    name: str
    links: bool
    direct: bool = False


def renumbered(use: Use, numbers: Sequence[int | None]) -> Use:
    """The same with other numbers for its dims."""

    def one(index: int | None) -> int | None:
        return None if index is None else numbers[index]

    def value(found: ValueUse) -> ValueUse:
        match found:
            case ArrayUse(dims=dims) if dims is not None:
                return replace(found, dims=tuple(n for n in map(one, dims) if n is not None))
            case TupleUse(items):
                return TupleUse(tuple(map(value, items)))
            case DictUse(items):
                return DictUse(tuple((key, value(item)) for key, item in items))
            case _:
                return found

    match use:
        case LeafUse():
            return replace(use, value=value(use.value))
        case NodeUse(template, args):
            return NodeUse(template, tuple(map(one, args)))
        case MapUse(entry, length):
            return MapUse(renumbered(entry, numbers), one(length))
        case EntriesUse(items):
            return EntriesUse(
                tuple(None if item is None else renumbered(item, numbers) for item in items)
            )


def value_dims(value: ValueUse) -> Iterator[int]:
    """The dims of a value, in order."""
    match value:
        case ArrayUse(dims=dims):
            yield from dims or ()
        case TupleUse(items):
            for item in items:
                yield from value_dims(item)
        case DictUse(items):
            for _, item in items:
                yield from value_dims(item)
        case OtherUse():
            return


def use_dims(use: Use) -> Iterator[int]:
    """The dims of a field, in order."""
    match use:
        case LeafUse(value=value):
            yield from value_dims(value)
        case NodeUse(args=args):
            yield from (arg for arg in args if arg is not None)
        case MapUse(entry, length):
            yield from use_dims(entry)
            yield from () if length is None else (length,)
        case EntriesUse(items):
            for item in items:
                yield from () if item is None else use_dims(item)


def bare_dims(use: Use) -> Iterator[int]:
    """The dims of a field that no sub-state has: those of leaves, and lengths."""
    match use:
        case LeafUse(value=value):
            yield from value_dims(value)
        case NodeUse():
            return
        case MapUse(entry, length):
            yield from bare_dims(entry)
            yield from () if length is None else (length,)
        case EntriesUse(items):
            for item in items:
                yield from () if item is None else bare_dims(item)
