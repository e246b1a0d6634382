"""Containers that JAX takes apart: what their ``__init__`` gets may be no value of theirs."""

from __future__ import annotations

import dataclasses
import sys
import types
from functools import lru_cache
from typing import Any, Final, cast

from jax.sharding import PartitionSpec, Sharding

from .._compat.pytrees import is_registered
from .._fastpath.call_cache import OMITTED

#: How the file of generated code begins, see `_fastpath.compiled`.
SOURCE: Final = "<typedstate boundary"
_LEAVES: Final = frozenset[type]({int, bool, types.NoneType, PartitionSpec})


def is_rebuilt() -> bool:
    """Whether JAX makes a container again from its leaves, which may be anything meanwhile.

    Source: "Custom pytree nodes and initialization" in JAX's documentation of pytrees.
    """
    frame: types.FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename.startswith(SOURCE):
        frame = frame.f_back
    if frame is None:
        return False
    module: str = frame.f_globals.get("__name__", "")
    if module == "flax.struct" or module.partition(".")[0] == "jax":
        return True
    return "unflatten" in frame.f_code.co_name


def is_prefix(container: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> bool:
    """Whether a container is made as a tree prefix: ``in_axes=Batch(x=0, y=None)``.

    Then each of its fields that are data is an axis, a partition, a flag, None, or such a
    container itself, and one of them is not None. The other fields may be anything.

    Args:
      container: that is being made.
      names: of its fields.
      values: of its fields.
    """
    data = _data_fields(cast(Any, type(container)))
    if data is None:
        return False
    says_something = False
    for name, value in zip(names, values, strict=True):
        if name not in data or value is OMITTED:  # it has its default
            continue
        if not _is_prefix(value):
            return False
        says_something = says_something or value is not None
    return says_something


def _is_prefix(value: Any) -> bool:
    cls = cast(Any, type(value))
    if cls in _LEAVES or isinstance(value, Sharding):
        return True
    if cls in (tuple, list):
        items = cast("tuple[Any, ...]", value)
        return bool(items) and all(map(_is_prefix, items))
    if cls is dict:
        held = cast("dict[Any, Any]", value).values()
        return bool(held) and all(map(_is_prefix, held))
    data = _data_fields(cls)
    return data is not None and all(_is_prefix(getattr(value, name, ...)) for name in data)


@lru_cache(maxsize=1024)
def _data_fields(cls: type) -> frozenset[str] | None:
    """The fields of a dataclass that JAX sees; None where it is no container of JAX's."""
    if not (dataclasses.is_dataclass(cls) and is_registered(cls)):
        return None
    return frozenset(
        field.name
        for field in dataclasses.fields(cls)
        if field.metadata.get("pytree_node", not field.metadata.get("static", False))
    )
