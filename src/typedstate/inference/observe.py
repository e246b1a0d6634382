"""Observes the trees from which a schema is inferred: kinds, dtypes, shapes, keys, classes.

`infer` calls `observe`. Only metadata is read, never a value of an array.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, cast

import jax
import msgspec
import numpy as np
from flax import nnx

from .._annotations.lazy_annotations import annotations_of
from .._compat import axis_rules, modules, variables
from .._compat.storage import ANYWHERE, Storage, special_memory
from .._compat.unknown_kind import UnknownKind
from ..errors import SchemaError
from ..report import Path

_SCALARS: Final = (bool, int, float, complex, str, bytes)
#: Stands for attributes whose names are made at run time.
_IN_A_LOOP: Final = "setattr()"
_CONFIGS: Final = ("config", "cfg", "args", "hparams", "options", "params", "settings")


@dataclass(frozen=True, slots=True)
class ArraySeen:
    """An array.

    Attributes:
      cls: ``jax.Array``, also for abstract values and references, or ``np.ndarray``.
      dtype: the dtype of the array.
      shape: the shape of the array.
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
      kind: the class of its Variable; None for a raw leaf.
      value: the value of the leaf.
      names: axis names in its sharding metadata, None without any.
      storage: the sums of that metadata, and the memory of its arrays where that is not the
        usual one of their devices.
      shared: the path from the root where this Variable stands in the state, None where that
        is here.
    """

    kind: type | None
    value: ValueSeen
    names: tuple[Any, ...] | None = None
    shared: tuple[Hashable, ...] | None = None
    storage: Storage = ANYWHERE


@dataclass(frozen=True, slots=True, eq=False)
class BranchSeen:
    """A sub-state. Compared by identity, as a class may occur many times.

    Attributes:
      items: the leaves and sub-states by key, in the order of the module's attributes.
      cls: the class of the module with this state; None if it is not known.
      node: the module, for its sizes and structure, never for its arrays.
      stacked: the axis that was removed from all leaves of a stack; None for no stack.
    """

    items: dict[Hashable, Seen]
    cls: type | None = None
    node: Any = None
    stacked: Stack | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """The further axis that ``nnx.vmap`` gives to the leaves of a sub-state.

    Attributes:
      axis: the position of the axis.
      size: the size of the axis.
      kinds: the Variable classes whose leaves have the axis; None if all leaves have it.
      partition: the name of the axis in the leaves' sharding metadata; ``...`` if the metadata
        has no entry for it.
      within: the stack of other kinds that this one is around: Params that were stacked on another
        axis than streams were.
    """

    axis: int
    size: int
    kinds: tuple[type, ...] | None = None
    partition: Any = ...
    within: Stack | None = None


Seen = LeafSeen | BranchSeen


def observe(example: Any) -> BranchSeen:
    """Reads a state, a nested dict, a live module or an abstract one.

    Raises:
      SchemaError: the example is none of these.
    """
    if modules.is_module(example):
        tree = modules.module_tree(example)
        found = _observe(tree.mapping, example)
        if isinstance(found, BranchSeen):
            _add_shared(found, example, tree.shared)
    else:
        found = _observe(example, None)
    if isinstance(found, BranchSeen):
        return found
    cls: Any = example if isinstance(example, type) else type(example)
    shown = f"the class {cls.__name__}" if cls is example else cls.__name__
    raise SchemaError(f"infer takes a state, a module or a nested dict of leaves, not {shown}")


def _observe(value: Any, node: Any) -> Seen:
    mapping = variables.mapping_of(value)
    if mapping is None:
        return _leaf(value)
    mapping = dict(mapping)  # another thread may write to it
    keys = list(mapping) if node is None else written_order(node, list(mapping))
    items = {key: _observe(mapping[key], child(node, key)) for key in keys}
    cls = None if node is None else cast(Any, type(node))
    return BranchSeen(items, cls, node)


def child(node: Any, key: Hashable) -> Any:
    """The child of a module under a key of its state; None if that is no node of its own."""
    if node is None:
        return None
    found: Any = None
    if isinstance(key, str):
        found = (_attributes_of(node) or {}).get(key)
        if found is None and isinstance(node, Mapping):
            found = cast(Any, node).get(key)
    elif isinstance(key, int) and hasattr(node, "__getitem__") and hasattr(node, "__len__"):
        found = node[key] if 0 <= key < len(node) else None
    found, _ = modules.unwrap(found)
    return found if modules.is_node(found) else None


def _attributes_of(node: Any) -> dict[str, Any] | None:
    """The attributes in the ``__dict__`` of a node; None if it has none."""
    return getattr(node, "__dict__", None)


def written_order(node: Any, keys: list[Hashable]) -> list[Hashable]:
    """Keys in the order in which the module's own code sets its attributes.

    Attributes keep that order until Flax takes a module apart and puts it together again, as
    ``nnx.eval_shape`` does: then they are sorted, and the order is that of ``__init__``.
    """
    there = _attributes_of(node)
    if any(not isinstance(key, str) for key in keys) or there is None:
        return keys
    known = set(keys)
    attributes = [key for key in there if key in known]
    if attributes == sorted(attributes):
        order = {name: place for place, name in enumerate(_set_by(cast(Hashable, type(node))))}
    else:
        order = {name: place for place, name in enumerate(attributes)}
    last = order.get(_IN_A_LOOP, len(order))
    return sorted(keys, key=lambda key: (order.get(str(key), last), _natural(str(key))))


def _natural(text: str) -> tuple[str, int, str]:
    """A sort key that puts ``layer_10`` behind ``layer_2``."""
    stem = text.rstrip("0123456789")
    return stem, int(text[len(stem) :] or -1), text


def names_in_code(cls: type) -> frozenset[str]:
    """The attributes that a class declares, or that its ``__init__`` sets by name."""
    return frozenset(_set_by(cast(Hashable, cls))) - {_IN_A_LOOP}


@cache
def _set_by(cls: Hashable) -> list[str]:
    """The attributes in the order in which they are set; a mark where ``setattr`` is called."""
    names: dict[str, None] = {}
    for base in reversed(cast(type, cls).__mro__):
        if base in nnx.Module.__mro__:
            continue
        names.update(dict.fromkeys(annotations_of(base)))
        for method in ("__init__", "__post_init__", "setup"):
            for name in _stored(base, method, 3):
                names.setdefault(name)
    return list(names)


def _stored(cls: type, method: str, depth: int) -> Iterator[str]:
    """The attributes that a method sets, and those that methods set which it calls."""
    function = inspect.unwrap(cls.__dict__.get(method, None) or _nothing)
    code = getattr(function, "__code__", None)
    for step in () if code is None else dis.get_instructions(code):
        name = step.argval
        if step.opname == "STORE_ATTR":
            yield name
        elif step.opname == "LOAD_GLOBAL" and name == "setattr":
            yield _IN_A_LOOP
        elif depth and isinstance(name, str) and name in cls.__dict__ and name != method:
            yield from _stored(cls, name, depth - 1)


def _nothing() -> None:
    """Stands for the method of a class that has none."""


def _add_shared(
    root: BranchSeen, module: Any, shared: Mapping[tuple[Any, ...], tuple[Any, ...]]
) -> None:
    """Adds the Variables that a module has twice and its state once, at their other paths."""
    changed: dict[int, BranchSeen] = {}
    for path, first in shared.items():
        target = _at(root, first)
        if not isinstance(target, LeafSeen):  # a module that stands elsewhere in the state
            continue
        node, branch = module, root
        for key in path[:-1]:
            found = branch.items.get(key)
            node = child(node, key)
            if not isinstance(found, BranchSeen):
                if node is None:
                    break
                cls = cast(Any, type(node))
                found = BranchSeen({}, cls, node)
                branch.items[key] = found
                changed[id(branch)] = branch
            branch = found
        else:
            if path[-1] not in branch.items:
                branch.items[path[-1]] = replace(target, shared=first)
                changed[id(branch)] = branch
    for branch in changed.values():
        items = dict(branch.items)
        branch.items.clear()
        branch.items.update((key, items[key]) for key in written_order(branch.node, list(items)))


def leaves_of(branch: BranchSeen, path: Path = ()) -> Iterator[tuple[Path, LeafSeen]]:
    """Yields the leaves of a tree with their paths."""
    for key, item in branch.items.items():
        if isinstance(item, LeafSeen):
            yield (*path, key), item
        else:
            yield from leaves_of(item, (*path, key))


def lacks_kinds(branch: BranchSeen) -> bool:
    """Whether the kind of some leaf is unknown."""
    return any(leaf.kind is UnknownKind for _, leaf in leaves_of(branch))


def _at(root: BranchSeen, path: tuple[Any, ...]) -> Seen | None:
    found: Seen | None = root
    for key in path:
        found = found.items.get(key) if isinstance(found, BranchSeen) else None
    return found


def _leaf(value: Any) -> LeafSeen:
    if not variables.is_variable(value):
        return LeafSeen(None, _value(value), storage=_memory(value))
    metadata, raw = variables.metadata_of(value), variables.raw_value(value)
    names = axis_rules.declared_names(metadata)
    sums, memory = axis_rules.written_sums(metadata) or ANYWHERE, _memory(raw)
    if sums == ANYWHERE:
        names = _plain_names(names)
    storage = msgspec.structs.replace(sums, memory_kind=memory.memory_kind)
    return LeafSeen(variables.kind_of(value), _value(raw), names, storage=storage)


def _memory(value: Any) -> Storage:
    """The memory in which all arrays of a leaf lie, where it is not the usual one."""
    arrays = [leaf for leaf in cast(Any, jax).tree.leaves(value) if variables.is_shaped(leaf)]
    kinds = {special_memory(leaf) for leaf in arrays}
    return Storage(kinds.pop()) if len(kinds) == 1 else ANYWHERE


def _plain_names(names: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """The axis names, if they are str, None or tuples of str, and not all None; else None."""
    if not names or all(name is None for name in names):
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


@dataclass(slots=True)
class Sizes:
    """The sizes that a module keeps beside its state.

    Attributes:
      own: the ints among its attributes, by name.
      config: the ints among the attributes of its configuration, by name.
    """

    own: dict[str, int] = field(default_factory=dict[str, int])
    config: dict[str, int] = field(default_factory=dict[str, int])


def sizes_of(node: Any) -> Sizes:
    """The sizes in a module's attributes: ``num_heads``, ``config.vocab_size``."""
    found = Sizes()
    if not isinstance(node, nnx.Module):
        return found
    for name, value in vars(node).items():
        if _is_size(value):
            found.own[name] = value
        elif any(word in name.lower() for word in _CONFIGS):
            found.config.update(_config_sizes(value, 2))
    return found


def _config_sizes(config: Any, depth: int) -> dict[str, int]:
    """The ints of a configuration: an object of a user's class, or a dict."""
    items: Iterator[tuple[Any, Any]]
    if isinstance(config, dict):
        items = iter(cast(Any, config).items())
    elif isinstance(config, nnx.Module | type) or not hasattr(config, "__dict__"):
        slots: dict[str, Any] = getattr(cast(Any, type(config)), "__dataclass_fields__", {})
        items = ((name, getattr(config, name, None)) for name in slots)
    else:
        items = iter((_attributes_of(config) or {}).items())
    found: dict[str, int] = {}
    for name, value in items:
        if isinstance(name, str) and _is_size(value):
            found[name] = cast(int, value)
        elif depth and isinstance(name, str) and any(word in name.lower() for word in _CONFIGS):
            found = {**_config_sizes(value, depth - 1), **found}
    return found


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 1
