"""The signature of a tree: keys, kinds, dtypes and shapes, by which `Same` compares trees."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, cast

import jax
import msgspec

from .._compat import modules, variables
from ..report import Code, Path


class LeafSignature(msgspec.Struct, frozen=True):
    """Kind of a leaf, None for a raw one; dtype and shape of an array, else empty."""

    kind: type | None
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """E.g. ``Param float32[4,8]``."""
        array = f"{self.dtype}[{','.join(map(str, self.shape))}]"
        return array if self.kind is None else f"{self.kind.__name__} {array}"


TreeSignature = dict[Path, LeafSignature]


def signature_of(value: Any) -> TreeSignature:
    """Reads the signature of a state, nested dicts, lists and tuples, or a live module."""
    if modules.is_module(value):
        value = modules.module_tree(value).mapping
    return dict(_leaves(value, (), None))


def _leaves(value: Any, path: Path, kind: type | None) -> Iterator[tuple[Path, LeafSignature]]:
    """Yields the leaves of a value; values in a Variable have its kind."""
    if variables.is_variable(value):
        kind, value = variables.kind_of(value), variables.raw_value(value)
    items = items_of(value)
    if items:
        for key, item in items:
            yield from _leaves(item, (*path, key), kind)
    elif variables.is_shaped(value):
        yield path, LeafSignature(kind, str(value.dtype), tuple(value.shape))
    elif kind is not None or (items is None and value is not None):
        yield path, LeafSignature(kind, type(value).__name__, ())


def items_of(value: Any) -> list[tuple[Hashable, Any]] | None:
    """The items of a container by key or index; None for any other value."""
    mapping = variables.mapping_of(value)
    if mapping is not None:
        return list(mapping.items())
    if isinstance(value, tuple | list):
        return list(enumerate(cast(Iterable[Any], value)))
    return None


def keys_of(value: Any, path: Path) -> Iterator[Path]:
    """Yields the path of each Variable and of each raw leaf."""
    is_leaf = variables.is_variable(value) or isinstance(value, jax.sharding.PartitionSpec)
    items = None if is_leaf else items_of(value)
    if items is None:
        yield from () if value is None else (path,)
        return
    for key, item in items:
        yield from keys_of(item, (*path, key))


def other_shapes(
    first: TreeSignature, other: TreeSignature
) -> Iterator[tuple[Path, Code, str, str]]:
    """Yields the differences of keys and shapes; kinds and dtypes are ignored."""
    for path, code, expected, actual in differences(first, other):
        if code in ("missing", "extra"):
            yield path, code, expected, actual
            continue
        wanted, found = first[path].shape, other[path].shape
        if wanted != found:
            yield path, "size" if len(wanted) == len(found) else "rank", expected, actual


def differences(
    first: TreeSignature, other: TreeSignature
) -> Iterator[tuple[Path, Code, str, str]]:
    """Yields where `other` differs from `first`: path, code, expected, actual."""
    for path, wanted in first.items():
        found = other.get(path)
        if found is None:
            yield path, "missing", str(wanted), "nothing"
        elif found.kind is not wanted.kind:
            yield path, "kind", str(wanted), str(found)
        elif found.dtype != wanted.dtype:
            yield path, "dtype", str(wanted), str(found)
        elif len(found.shape) != len(wanted.shape):
            yield path, "rank", str(wanted), str(found)
        elif found.shape != wanted.shape:
            yield path, "size", str(wanted), str(found)
    for path, found in other.items():
        if path not in first:
            yield path, "extra", "no such leaf", str(found)
