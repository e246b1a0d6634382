"""What the text of a schema class says beyond the types of its fields: keys and extra keys.

mypy drops the second half of ``Annotated``, so that aliases are read from the source when the
class is analysed and kept in its metadata, which mypy writes into its cache.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from mypy.nodes import DictExpr, Expression, RefExpr, StrExpr, TypeInfo
from mypy.plugin import ClassDefContext

METADATA: Final = "typedstate"


def remember(context: ClassDefContext) -> None:
    """Writes the aliases and extra keys of a schema class into its metadata."""
    module = context.api.modules.get(context.cls.info.module_name)
    found: dict[str, Any] = {"keys": {}, "extra": _extra(context.cls.keywords.get("extra"))}
    source = None if module is None else source_of(module.path)
    aliases = None if source is None else _aliases(source, context.cls.line)
    if aliases is None:
        found["open"] = True  # the text is not there: any key may be
    else:
        found["keys"] = aliases
    context.cls.info.metadata[METADATA] = found


def metadata_of(info: TypeInfo) -> dict[str, Any]:
    """What `remember` wrote for a class; empty for one that it has not seen."""
    found = info.metadata.get(METADATA)
    return found if isinstance(found, dict) else {}


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
    """The text of a module; None where it has no file."""
    try:
        return _text(path, Path(path).stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=8)
def _text(path: str, _changed: int) -> str:
    return Path(path).read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def _classes(source: str) -> tuple[ast.ClassDef, ...]:
    if "Alias" not in source and "Shared" not in source:
        return ()
    return tuple(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))


def _aliases(source: str, line: int) -> dict[str, Any] | None:
    """The keys of the fields that have an alias, by field; None where the class is not found."""
    if "Alias" not in source and "Shared" not in source:
        return {}
    try:
        classes = _classes(source)
    except SyntaxError:
        return None
    found = next((cls for cls in classes if _first_line(cls) <= line <= cls.lineno), None)
    if found is None:
        return None
    aliases: dict[str, Any] = {}
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            key = _key(node.annotation)
            if key is not None:
                aliases[node.target.id] = key
    return aliases


def _first_line(cls: ast.ClassDef) -> int:
    return min([cls.lineno, *(item.lineno for item in cls.decorator_list)])


def _key(annotation: ast.expr) -> Any:
    """The key of an ``Annotated[..., Alias(key)]``: ``[key]``, or ``[]`` where it is unknown."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value.strip(), mode="eval").body
        except SyntaxError:
            return None
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Tuple):
        return None
    for item in annotation.slice.elts[1:]:
        if isinstance(item, ast.Call) and ast.unparse(item.func).rpartition(".")[2] == "Alias":
            try:
                given = item.args[0] if item.args else item.keywords[0].value
                return [ast.literal_eval(given)]
            except (ValueError, IndexError):
                return []
    return None
