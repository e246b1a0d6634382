"""A value as reports show it: by class, dtype and shape, never by its contents."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import numpy as np

from .._compat import variables
from .._compat.unknown_kind import UnknownKind
from .._spec.describe import class_name
from .._spec.dtypes import dtype_name
from ..report import show_key


def describe_value(value: object) -> str:
    """A value by class, dtype and shape, never by its contents."""
    if variables.is_variable(value):
        kind, held = variables.kind_of(value), describe_value(variables.raw_value(value))
        return held if kind is UnknownKind else f"{kind.__name__} {held}"
    if isinstance(value, jax.ShapeDtypeStruct):
        return f"ShapeDtypeStruct {_show_array(value)}"
    if isinstance(value, np.ndarray):
        return f"numpy {_show_array(value)}"
    if variables.is_reference(value):
        return f"Ref {_show_array(value)}"
    if isinstance(value, jax.Array):
        return _show_array(value)
    mapping = variables.mapping_of(value)
    if mapping is not None:
        return _describe_mapping(mapping, "a state" if variables.is_state(value) else "a dict")
    return "None" if value is None else class_name(type(value))


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
