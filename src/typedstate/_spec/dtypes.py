"""Dtypes by the names that jaxtyping gives them."""

from __future__ import annotations

from functools import lru_cache
from re import Pattern
from typing import Any


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
