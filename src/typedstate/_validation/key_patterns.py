"""Keys by pattern: ``layers_{}``, and ints written as text."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from .._spec.nodes import Extra, KeyPattern, Spec

_MAX_DIGITS: Final = 19


def matches(pattern: KeyPattern, key: Hashable) -> bool:
    """Whether a key is one of a pattern's; where they are counted, a number stands in it."""
    if pattern.length is None:
        return is_like(pattern.keys, key)
    return number_of(pattern.keys, key) is not None


def pattern_of(extra: Extra, key: Hashable) -> KeyPattern | None:
    """The first pattern that a key matches; None if it matches none."""
    return next((one for one in extra.patterns if matches(one, key)), None)


def pattern_spec(extra: Extra, key: Hashable) -> Spec | None:
    """The spec of the first pattern that a key matches; None if it matches none."""
    pattern = pattern_of(extra, key)
    return None if pattern is None else pattern.entry


def number_of(keys: str, key: Hashable) -> int | None:
    """The number that stands in a key in the place of the braces of ``layers_{}``."""
    before, _, after = keys.partition("{}")
    if not isinstance(key, str) or not (key.startswith(before) and key.endswith(after)):
        return None
    text = key[len(before) : len(key) - len(after)]
    found = int_of(text)
    return found if found is not None and str(found) == text else None  # ``07`` is another key


def is_like(pattern: str, key: Hashable) -> bool:
    """Whether a key is like ``layers_{}``: braces stand for one or more characters.

    Each piece between braces is looked for once, where it first stands: keys come from
    checkpoints, and a regular expression may go back over a long one again and again.
    """
    if not isinstance(key, str):
        return False
    first, *between = pattern.split("{}")
    if not between:
        return key == pattern
    if not key.startswith(first):
        return False
    at, last = len(first), between.pop()
    for piece in between:
        found = key.find(piece, at + 1)
        if found < 0:
            return False
        at = found + len(piece)
    return len(key) - len(last) > at and key.endswith(last)


def int_of(key: object) -> int | None:
    """The int that a str key was before a checkpoint wrote it as text."""
    if isinstance(key, str) and key.isdecimal() and key.isascii() and len(key) < _MAX_DIGITS:
        return int(key)
    return None
