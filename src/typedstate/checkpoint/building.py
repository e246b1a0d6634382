"""Puts arrays into the declared tree: into an abstract state, or into a module's Variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import jax
from flax import nnx

from .._compat.variables import (
    is_variable,
    kind_of,
    leaves_of,
    make_variable,
    mapping_of,
    metadata_of,
    raw_value,
)
from ..checking import check
from .libraries import is_dict, is_key_dtype, is_list_or_tuple, jax_
from .slots import Slot
from .stored import Path


def finished(target: Any, arrays: Mapping[Path, Any], hint: Any) -> Any:
    """An abstract tree whose abstract values are replaced by arrays, checked against the hint."""
    state = replaced(target, None, (), lambda path, leaf: arrays.get(path, leaf))
    return check(state, hint)


def values_of(tree: Any) -> Iterator[tuple[Path, Any]]:
    """Yields the path and the abstract value of each array of a tree."""
    for path, leaf in leaves_of(tree):
        yield from _parts(raw_value(leaf) if is_variable(leaf) else leaf, path)


def _parts(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    names: Any = getattr(cast(Any, type(value)), "_fields", None)
    if is_dict(value):
        for key, item in value.items():
            yield from _parts(item, (*path, key))
    elif is_list_or_tuple(value):
        for index, item in enumerate(value):
            yield from _parts(item, (*path, names[index] if names else index))
    else:
        yield path, value


def replaced(tree: Any, models: Any, path: Path, leaf_at: Callable[[Path, Any], Any]) -> Any:
    """A tree with another value at each leaf; `models` has the Variables that are to be filled."""
    mapping = mapping_of(tree)
    if mapping is not None:
        likes = mapping_of(models) or {}
        below = {
            key: replaced(item, likes.get(key), (*path, key), leaf_at)
            for key, item in mapping.items()
        }
        return nnx.State(below) if isinstance(tree, nnx.State) else below
    if not is_variable(tree):
        return _rebuilt(tree, path, leaf_at)
    value = _rebuilt(raw_value(tree), path, leaf_at)
    like = is_variable(models) and kind_of(models) is kind_of(tree)
    return make_variable(kind_of(tree), value, metadata_of(models if like else tree))


def _rebuilt(value: Any, path: Path, leaf_at: Callable[[Path, Any], Any]) -> Any:
    names: Any = getattr(cast(Any, type(value)), "_fields", None)
    if is_dict(value):
        return {key: _rebuilt(item, (*path, key), leaf_at) for key, item in value.items()}
    if is_list_or_tuple(value):
        made = [
            _rebuilt(item, (*path, names[index] if names else index), leaf_at)
            for index, item in enumerate(cast(Any, value))
        ]
        return cast(Any, type(value))(*made) if names is not None else type(value)(made)
    return leaf_at(path, value)


def as_declared(slot: Slot, value: Any) -> Any:
    """The array of a slot as declared: numbers that stand for PRNG keys become keys."""
    is_key = hasattr(value, "dtype") and is_key_dtype(value.dtype)
    if slot.implementation is None:
        as_numbers = is_key and not is_key_dtype(slot.stored.dtype)
        return jax.random.key_data(value) if as_numbers else value
    return value if is_key else jax_.random.wrap_key_data(value, impl=slot.implementation)
