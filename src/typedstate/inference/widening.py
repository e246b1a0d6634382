"""The common Variable class and the common dtype of several examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import jaxtyping

from .._spec.dtypes import dtype_name


def common_kind(kinds: Sequence[type | None]) -> type | None:
    """The nearest class that all of them are or inherit from."""
    first = kinds[0]
    if first is None:
        return None
    return next(
        base
        for base in first.__mro__
        if all(kind is None or issubclass(kind, base) for kind in kinds)
    )


def common_dtype(dtypes: Iterable[Any]) -> str:
    """The narrowest dtype class of jaxtyping that contains all dtypes."""
    names = {dtype_name(dtype) for dtype in dtypes}
    for candidate in _DTYPES:
        hint: Any = getattr(jaxtyping, candidate, None)
        if hint is None:
            continue
        has: Any = hint.dtypes
        if all(_has(has, name) for name in names):
            return candidate
    return "Shaped"


def _has(dtypes: Any, name: str) -> bool:
    return any(
        item in (name, f"{name}_") if isinstance(item, str) else item.match(name) is not None
        for item in dtypes
    )


def _single_dtypes() -> list[str]:
    found: list[str] = []
    for name in sorted(dir(jaxtyping)):
        hint: Any = getattr(jaxtyping, name)
        if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractDtype):
            dtypes: Any = getattr(hint, "dtypes", ())
            if name != "Shaped" and len(dtypes) == 1:
                found.append(name)
    return found


#: From narrow to wide.
_DTYPES: Final = (
    "Bool",
    "Key",
    *_single_dtypes(),
    "Float",
    "Complex",
    "Inexact",
    "UInt",
    "Int",
    "Integer",
    "Real",
    "Num",
)
