"""A value as reports show it: by class, dtype and shape, never by its contents."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping
from functools import lru_cache
from re import Pattern
from typing import Any

import jax
import numpy as np

from . import leaves
from .describe import class_name
from .report import show_key


def describe_value(value: object) -> str:
    """A value by class, dtype and shape, never by its contents."""
    if leaves.is_variable(value):
        return f"{leaves.kind_of(value).__name__} {describe_value(leaves.raw_value(value))}"
    if isinstance(value, jax.ShapeDtypeStruct):
        return f"ShapeDtypeStruct {_show_array(value)}"
    if isinstance(value, np.ndarray):
        return f"numpy {_show_array(value)}"
    if leaves.is_reference(value):
        return f"Ref {_show_array(value)}"
    if isinstance(value, jax.Array):
        return _show_array(value)
    mapping = leaves.mapping_of(value)
    if mapping is not None:
        return _describe_mapping(mapping, "a state" if leaves.is_state(value) else "a dict")
    return "None" if value is None else class_name(type(value))


def dtype_name(dtype: Any) -> str:
    """A dtype by the name that jaxtyping gives it: ``float32``, ``prng_key``."""
    scalar = getattr(dtype, "type", None)
    name = getattr(scalar, "__name__", None) or str(dtype).rsplit(".", 1)[-1]
    if name == "void" and getattr(dtype, "names", None):
        return str(dtype)
    return "bool" if name == "bool_" else name


@lru_cache(maxsize=1024)
def has_dtype(dtype: Any, wanted: tuple[str | Pattern[str], ...]) -> bool:
    """Whether a dtype is one of those that a dtype class of jaxtyping has."""
    name = dtype_name(dtype)
    return any(
        name == item or (name == "bool" and item == "bool_")
        if isinstance(item, str)
        else item.match(name) is not None
        for item in wanted
    )


def _describe_mapping(mapping: Mapping[Hashable, Any], of: str) -> str:
    try:
        keys = [show_key(key) for key in itertools.islice(mapping, 5)]
    except Exception:  # a mapping of the user's own, or one that changes meanwhile
        return f"{of} that can't be read"
    more = ", ..." if len(keys) > 4 else ""
    return f"{of} with keys {', '.join(keys[:4])}{more}" if keys else f"{of} without keys"


def _show_array(value: Any) -> str:
    try:
        return f"{dtype_name(value.dtype)}[{','.join(map(str, value.shape))}]"
    except Exception:  # a value that only looks like an array
        return type(value).__name__
