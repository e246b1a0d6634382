"""What stands in the trees from which a schema is inferred: kinds, dtypes, shapes, keys.

`infer` calls `observe`. Only metadata is read, never a value.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import jax
import numpy as np

from .._compat import axis_rules, modules, variables
from ..errors import SchemaError

_SCALARS: Final = (bool, int, float, complex, str, bytes)


@dataclass(frozen=True, slots=True)
class ArraySeen:
    """An array.

    Attributes:
      cls: ``jax.Array``, also for abstract values and references, or ``np.ndarray``.
      dtype: it has.
      shape: it has.
    """

    cls: type
    dtype: Any
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TupleSeen:
    """A tuple of values."""

    items: tuple[ValueSeen, ...]


@dataclass(frozen=True, slots=True)
class DictSeen:
    """A dict of values by str keys."""

    items: tuple[tuple[str, ValueSeen], ...]


@dataclass(frozen=True, slots=True)
class OtherSeen:
    """Any other value, of which only the class counts; None where even that says nothing."""

    cls: type | None


ValueSeen = ArraySeen | TupleSeen | DictSeen | OtherSeen


@dataclass(frozen=True, slots=True)
class LeafSeen:
    """A leaf.

    Attributes:
      kind: its Variable class, None for a raw leaf.
      value: what it holds.
      names: axis names in its sharding metadata, None without any.
    """

    kind: type | None
    value: ValueSeen
    names: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class BranchSeen:
    """A sub-state.

    Attributes:
      items: what stands under its keys.
      cls: the name of the module class whose state it is, where that is known.
    """

    items: dict[Hashable, Seen]
    cls: str | None = None


Seen = LeafSeen | BranchSeen


def observe(example: Any) -> BranchSeen:
    """Reads a state, a nested dict, a live module or an abstract one.

    Raises:
      SchemaError: the example is none of these.
    """
    if modules.is_module(example):
        found = _observe(modules.module_tree(example).mapping, example)
    else:
        found = _observe(example, None)
    if isinstance(found, BranchSeen):
        return found
    shown = type(example).__name__
    raise SchemaError(f"infer takes a state, a module or a nested dict of leaves, not {shown}")


def _observe(value: Any, module: Any) -> Seen:
    mapping = variables.mapping_of(value)
    if mapping is None:
        return _leaf(value)
    items: dict[Hashable, Seen] = {}
    for key, item in dict(mapping).items():  # another thread may write meanwhile
        below = _observe(item, _below(module, key))
        if not isinstance(below, BranchSeen) or below.items:  # Flax drops branches without leaves
            items[key] = below
    return BranchSeen(items, _class_name(module))


def _class_name(module: Any) -> str | None:
    """The name of a module's class, or of that of an optimizer's NamedTuple."""
    cls = cast(Any, type(module))
    named = modules.is_module(module) or (issubclass(cls, tuple) and cls is not tuple)
    return str(cls.__name__) if named else None


def _below(module: Any, key: Hashable) -> Any:
    """The sub-module under a key, None where there is no module of its own."""
    if module is None:
        return None
    if isinstance(key, str):
        found: Any = getattr(module, key, None)
        if found is None and issubclass(type(module), Mapping):
            found = module.get(key)
    elif isinstance(key, int) and hasattr(module, "__getitem__") and hasattr(module, "__len__"):
        found = module[key] if 0 <= key < len(module) else None
    else:
        found = None
    return None if isinstance(found, jax.Array | np.ndarray) else found


def _leaf(value: Any) -> LeafSeen:
    if not variables.is_variable(value):
        return LeafSeen(None, _value(value))
    names = axis_rules.declared_names(variables.metadata_of(value))
    return LeafSeen(
        variables.kind_of(value), _value(variables.raw_value(value)), _plain_names(names)
    )


def _plain_names(names: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """Axis names that can be written down: str, None and tuples of str."""
    if not names:
        return None
    for entry in names:
        plain = cast(Any, entry if isinstance(entry, tuple) else (entry,))
        if entry is not None and not all(isinstance(name, str) for name in plain):
            return None
    return names


def _value(value: Any) -> ValueSeen:
    cls = cast(Any, type(value))
    if cls in _SCALARS or value is None:
        return OtherSeen(cls)
    if variables.is_shaped(value) and not issubclass(cls, np.generic):
        array = np.ndarray if issubclass(cls, np.ndarray) else jax.Array
        return ArraySeen(array, value.dtype, tuple(value.shape))
    if issubclass(cls, tuple) and (value or cls is tuple):
        return TupleSeen(tuple(_value(item) for item in cast(tuple[Any, ...], value)))
    if cls is dict and all(isinstance(key, str) for key in value):
        items = cast(dict[str, Any], value).items()
        return DictSeen(tuple((key, _value(item)) for key, item in items))
    return OtherSeen(cast(Any, type(value)))


def alike(first: Seen, second: Seen) -> bool:
    """Whether two trees differ in sizes, names and the absence of some leaves at most.

    Of two branches one has all keys of the other, which has at least half as many.
    """
    match first, second:
        case LeafSeen(), LeafSeen():
            return first.kind is second.kind and _same_value(first.value, second.value)
        case BranchSeen(), BranchSeen():
            both = first.items.keys() & second.items.keys()
            larger = max(len(first.items), len(second.items))
            smaller = min(len(first.items), len(second.items))
            return (
                len(both) == smaller >= math.ceil(larger / 2)
                and (first.cls == second.cls or None in (first.cls, second.cls))
                and all(alike(first.items[key], second.items[key]) for key in both)
            )
        case _:
            return False


def _same_value(first: ValueSeen, second: ValueSeen) -> bool:
    match first, second:
        case ArraySeen(), ArraySeen():
            return (
                first.cls is second.cls
                and first.dtype == second.dtype
                and len(first.shape) == len(second.shape)
            )
        case TupleSeen(), TupleSeen():
            return len(first.items) == len(second.items) and all(
                map(_same_value, first.items, second.items)
            )
        case DictSeen(), DictSeen():
            theirs = dict(second.items)
            return theirs.keys() == dict(first.items).keys() and all(
                _same_value(item, theirs[key]) for key, item in first.items
            )
        case _:
            return first == second
