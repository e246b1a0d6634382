"""Reads aliases and extra keys of a schema class from its source.

mypy drops the metadata of ``Annotated``. So aliases are read from the source when the class is
analysed, and kept in the class's own metadata, which mypy writes into its cache.
"""

from __future__ import annotations

import ast
import contextlib
import os
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from mypy.nodes import (
    AssignmentStmt,
    ClassDef,
    DictExpr,
    Expression,
    NameExpr,
    RefExpr,
    StrExpr,
    TypeAlias,
    TypeInfo,
)
from mypy.plugin import ClassDefContext
from mypy.types import UnboundType

METADATA: Final = "typedstate"
UNKNOWN: Final = ""  # in the place of a key's source


def remember(context: ClassDefContext) -> None:
    """Writes the aliases and extra keys of a schema class into its metadata."""
    module = context.api.modules.get(context.cls.info.module_name)
    found: dict[str, Any] = {"keys": {}, "extra": _extra(context.cls.keywords.get("extra"))}
    source = None if module is None else source_of(module.path)
    aliases = None if source is None else _aliases(source, context.cls)
    if aliases is None:
        found["open"] = True  # the text is not there: any key may be
    else:
        found["keys"] = {**dict.fromkeys(_hidden(context), UNKNOWN), **aliases}
    context.cls.info.metadata[METADATA] = found


def _hidden(context: ClassDefContext) -> Iterator[str]:
    """Yields the fields whose annotation is a type alias that may contain an `Alias`."""
    for statement in context.cls.defs.body:
        hint = statement.unanalyzed_type if isinstance(statement, AssignmentStmt) else None
        if not isinstance(hint, UnboundType) or not isinstance(statement, AssignmentStmt):
            continue
        symbol = context.api.lookup_qualified(hint.name, hint, suppress_errors=True)
        node = None if symbol is None else symbol.node
        if not isinstance(node, TypeAlias) or node.module.startswith("typedstate."):
            continue
        home = context.api.modules.get(node.module)
        source = None if home is None else source_of(home.path)
        if source is None or "Alias(" in source:
            yield from (name.name for name in statement.lvalues if isinstance(name, NameExpr))


def metadata_of(info: TypeInfo) -> dict[str, Any]:
    """The metadata that `remember` wrote for a class; empty if it wrote none."""
    found = info.metadata.get(METADATA)
    return found if isinstance(found, dict) else {}


def key_of(metadata: Mapping[str, Any], field: str) -> tuple[Hashable] | None:
    """The key of a field in a one-tuple; None if it is not known."""
    source: str | None = metadata["keys"].get(field)
    if source is None:
        return (field,)
    return None if source == UNKNOWN else (ast.literal_eval(source),)


def _extra(given: Expression | None) -> Any:
    match given:
        case None:
            return None
        case StrExpr(value=value):
            return value
        case DictExpr(items=items):
            table: dict[str, str | None] = {}
            for key, entry in items:
                if isinstance(key, StrExpr):
                    table[key.value] = entry.fullname if isinstance(entry, RefExpr) else None
            return table
        case _:
            return "allow"


def source_of(path: str) -> str | None:
    """The text of a module; None if it has no file."""
    try:
        return _text(path, os.stat(path).st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=256)
def _text(path: str, _changed: int) -> str:
    return Path(path).read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def _lines(source: str) -> list[str]:
    return source.split("\n")


@lru_cache(maxsize=8)
def _classes(source: str) -> tuple[ast.ClassDef, ...]:
    return tuple(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))


def _own_text(source: str, cls: ClassDef) -> str:
    """The lines of a class, which its first words are in; empty if they are not known."""
    found = "\n".join(_lines(source)[cls.line - 1 : cls.end_line or 0])
    return found if f"class {cls.name}" in found else ""


def _parsed(source: str, cls: ClassDef) -> ast.ClassDef | None:
    """The syntax of a class: of its own lines, or else of its module's; None without it."""
    text = _own_text(source, cls)
    with contextlib.suppress(SyntaxError):
        match ast.parse(f"if True:\n{text}" if text[:1].isspace() else text).body:
            case [ast.If(body=[ast.ClassDef() as found])] | [ast.ClassDef() as found]:
                return found
            case _:
                pass
    with contextlib.suppress(SyntaxError):
        for found in _classes(source):
            if _first_line(found) <= cls.line <= found.lineno:
                return found
    return None


def _aliases(source: str, cls: ClassDef) -> dict[str, str] | None:
    """The source of the key of each field with an alias; None if the class is not found."""
    if "Alias" not in (_own_text(source, cls) or source):
        return {}
    found = _parsed(source, cls)
    if found is None:
        return None
    aliases: dict[str, str] = {}
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            key = _key(node.annotation)
            if key is not None:
                aliases[node.target.id] = key
    return aliases


def _first_line(cls: ast.ClassDef) -> int:
    return min([cls.lineno, *(item.lineno for item in cls.decorator_list)])


def _key(annotation: ast.expr) -> str | None:
    """The source of the key of an ``Annotated[..., Alias(key)]``; empty if it can't be read."""
    for item in _metadata(annotation):
        if isinstance(item, ast.Call) and ast.unparse(item.func).rpartition(".")[2] == "Alias":
            try:
                given = item.args[0] if item.args else item.keywords[0].value
                return repr(ast.literal_eval(given))
            except (ValueError, IndexError):
                return UNKNOWN
    return None


def _metadata(annotation: ast.expr) -> Iterator[ast.expr]:
    """The metadata of ``Annotated[X, ...]``, also of an optional or a quoted one."""
    match annotation:
        case ast.Constant(value=str(text)):
            with contextlib.suppress(SyntaxError):
                yield from _metadata(ast.parse(text.strip(), mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _metadata(left)
            yield from _metadata(right)
        case ast.Subscript(slice=ast.Tuple(elts=[first, *others])):
            yield from others
            yield from _metadata(first)
        case ast.Subscript(slice=inner):  # Optional
            yield from _metadata(inner)
        case _:
            return
