"""`stale`: compares a schema's source with a fresh inference, for ``infer --check``."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from ..errors import SchemaError
from ..export.source import to_source


def stale(text: str, fresh: Any, *, path: str = "states.py", name: str | None = None) -> str:
    """The unified diff from a source to a fresh inference; empty if they are the same.

    Comments, layout and the order of imports and classes do not count: the file may have been
    formatted, and read by a person. Names do: a dim that was renamed by hand is a change.

    Args:
      text: the source in the file.
      fresh: the schema that `infer` gives now.
      path: the path of the file, for the head of the diff.
      name: the name of the schema in the source.

    Raises:
      SchemaError: the source is no Python.
    """
    wanted = to_source(fresh, name=name)
    try:
        same = _meaning(text) == _meaning(wanted)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise SchemaError(f"{path}{line}: no Python source ({error.msg})") from None
    except (ValueError, MemoryError, RecursionError) as error:  # a NUL, or nested without end
        reason = str(error) or "nested too deeply"
        raise SchemaError(f"{path}: no Python source ({reason})") from None
    if same:
        return ""
    lines = difflib.unified_diff(
        text.splitlines(keepends=True),
        wanted.splitlines(keepends=True),
        fromfile=path,
        tofile=f"{path}, inferred",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _meaning(text: str) -> tuple[frozenset[str], dict[str, str]]:
    """The imports of a source, and each of its classes and aliases by name."""
    imports: set[str] = set()
    defined: dict[str, str] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.Import(names):
                imports |= {f"{item.name} as {item.asname}" for item in names}
            case ast.ImportFrom(module, names):
                imports |= {f"{module}.{item.name} as {item.asname}" for item in names}
            case ast.ClassDef(name=title):
                node.body = [item for item in node.body if not _is_text(item)]
                defined[title] = ast.dump(node)
            case ast.Assign(targets=[ast.Name(id=title)]):
                defined[title] = ast.dump(node)
            case ast.Expr():  # a docstring
                continue
            case _:
                defined[f"line {node.lineno}"] = ast.dump(node)
    imports.discard("__future__.annotations as None")
    return frozenset(imports), defined


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
