"""Nests flat trees whose keys are joined names, or paths that a format wrote as text."""

from __future__ import annotations

import ast
from collections.abc import Hashable
from typing import Any, Final, cast

from .libraries import is_dict
from .stored import Path, nested

_MAX_PATH: Final = 4096
_KEYS: Final = (str, int, bytes, type(None))


def unflattened(node: Any, separator: str | None) -> Any:
    """Nests a flat tree; returns any other value, a nested tree too, as it was.

    Args:
      node: dicts as stored.
      separator: the text that joins keys to a name. None: a path is stored as the text of a
        tuple, e.g. ``"('layers', 0)"``, as Orbax and Flax's msgpack write it.
    """
    if not is_dict(node):
        return node
    by_path = [(_path(key, separator), item) for key, item in node.items()]
    paths = {path for path, _ in by_path}
    if not any(len(path) > 1 for path in paths) or len(paths) < len(by_path):
        return node
    if any(path[:size] in paths for path in paths for size in range(1, len(path))):
        return node  # a leaf that is a branch too
    return nested(by_path)


def _path(key: Hashable, separator: str | None) -> Path:
    if not isinstance(key, str):
        return (key,)
    if separator is not None:
        return tuple(key.split(separator))
    if not key.startswith("(") or len(key) > _MAX_PATH:
        return (key,)
    try:
        found: Any = ast.literal_eval(key)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return (key,)
    if not isinstance(found, tuple) or not found:
        return (key,)
    whole = cast(Path, found)
    return whole if all(isinstance(one, _KEYS) for one in whole) else (key,)
