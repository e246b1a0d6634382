"""Dtypes by the names that jaxtyping gives them."""

from __future__ import annotations

import re
from functools import lru_cache
from re import Pattern
from typing import Any, Final


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


Dtypes = tuple[str | Pattern[str], ...]
_FLOATING: Final = re.compile("b?float")
_INEXACT: Final = re.compile("b?float|complex")
_KEY: Final = "prng_key"
#: What an array whose dtype is open may have beside floats.
_EXACT: Final = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16, 32, 64)),
    _KEY,
)
_COMPLEX: Final = ("complex64", "complex128")


def beside(given: Dtypes, declared: Dtypes | None) -> Dtypes:
    """The declared dtypes of which a cast says nothing, as ``jax.tree.map`` over floats has it.

    A float dtype concerns floating arrays, a complex one inexact ones, any other all numbers.

    Args:
      given: those of the cast.
      declared: those that a leaf may have, None for any.
    """
    if all(isinstance(item, str) and _FLOATING.match(item) for item in given):
        concerned, others = _FLOATING, (*_EXACT, *_COMPLEX)
    elif all(isinstance(item, str) and _INEXACT.match(item) for item in given):
        concerned, others = _INEXACT, _EXACT
    else:
        return (_KEY,) if declared is None or _KEY in declared else ()
    if declared is None:
        return others
    return tuple(
        item for item in declared if not isinstance(item, str) or not concerned.match(item)
    )
