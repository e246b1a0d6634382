"""Keys by pattern: ``layers_{}``, and ints written as text."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

_MAX_DIGITS: Final = 19


def matches(pattern: str, key: Hashable) -> bool:
    """Whether a key is like ``layers_{}``: braces stand for one or more characters."""
    if not isinstance(key, str):
        return False
    expression = ".+".join(re.escape(piece) for piece in pattern.split("{}"))
    return re.fullmatch(expression, key, re.DOTALL) is not None


def int_of(key: object) -> int | None:
    """The int that a str key was before a checkpoint wrote it as text."""
    if isinstance(key, str) and key.isdecimal() and key.isascii() and len(key) < _MAX_DIGITS:
        return int(key)
    return None
