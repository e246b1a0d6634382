"""Walks through drafted uses: what stands inside one, and the same with other slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .._spec.questions import needs_leaf
from .uses import (
    AroundUse,
    ArrayUse,
    CountedUse,
    DictUse,
    DraftUse,
    EntriesUse,
    LayerUse,
    LeafUse,
    MapUse,
    OptimizerUse,
    Slot,
    StackedUse,
    TupleUse,
    UnionUse,
    Use,
    ValueUse,
)


def drafts_of(use: Use) -> Iterator[DraftUse]:
    """Yields the uses of inferred classes in a field."""
    return (found for found in uses_of(use) if isinstance(found, DraftUse))


def uses_of(use: Use) -> Iterator[Use]:
    """Yields a use and all uses inside it."""
    yield use
    match use:
        case MapUse(entry=inner) | CountedUse(entry=inner) | StackedUse(inner=inner):
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


def must_be_there(use: Use) -> bool:
    """Whether what has such a use has a leaf for certain, so that it can be counted."""
    match use:
        case LeafUse() | OptimizerUse():
            return True
        case LayerUse(schema):
            return needs_leaf(schema.__typedstate_spec__())
        case DraftUse(draft):
            named = (item for item in draft.fields if not item.optional and item.shared is None)
            return any(must_be_there(item.use) for item in named)
        case MapUse(by, entry, length):
            return by is int and length is not None and must_be_there(entry)
        case EntriesUse(items, optional):
            there = (item for at, item in enumerate(items) if item and at not in optional)
            return any(map(must_be_there, there))
        case StackedUse(inner=inner) | CountedUse(entry=inner):
            return must_be_there(inner)
        case AroundUse(_, inner):
            return any(map(must_be_there, inner))
        case UnionUse(options):
            return all(map(must_be_there, options))


def replaced(use: Use, slots: dict[int, Slot | None]) -> Use:
    """A use with other slots, by the ``id`` of the old ones; None drops a dim."""

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
        case LayerUse(dims=dims):
            found = tuple((dim, of(slot)) for dim, slot in dims)
            changed = ((name, tuple(map(of, axes))) for name, axes in use.runs)
            runs = tuple(
                (name, tuple(slot for slot in axes if slot is not None))
                for name, axes in changed
                if None not in axes
            )
            return replace(use, dims=found, runs=runs)
        case DraftUse(draft, dims):
            return DraftUse(draft, tuple((group, of(slot)) for group, slot in dims))
        case AroundUse(schema, items):
            return AroundUse(schema, tuple(replaced(item, slots) for item in items))
        case UnionUse(items):
            return UnionUse(tuple(replaced(item, slots) for item in items))
        case MapUse(key, entry, length):
            return MapUse(key, replaced(entry, slots), of(length))
        case CountedUse(run, entry, length):
            return CountedUse(run, replaced(entry, slots), of(length) or length)
        case EntriesUse(items, optional):
            made = tuple(None if item is None else replaced(item, slots) for item in items)
            return EntriesUse(made, optional)
        case StackedUse(inner, length, stack):
            return StackedUse(replaced(inner, slots), of(length) or length, stack)
        case _:
            return use
