"""Compiles generated source; tracebacks show its lines as long as the code is alive."""

from __future__ import annotations

import linecache
import weakref
from itertools import count
from typing import Any, Final

_numbers: Final = count()


def execute(source: str, title: str, names: dict[str, Any], owner: str) -> None:
    """Runs generated source.

    Args:
      source: its text.
      title: of the code in tracebacks: ``<typedstate {title} {number}>``.
      names: its namespace, to which its definitions are added.
      owner: the function in it with whose life its lines are kept.
    """
    name = f"<typedstate {title} {next(_numbers)}>"
    exec(compile(source, name, "exec"), names)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    weakref.finalize(names[owner], linecache.cache.pop, name, None)
