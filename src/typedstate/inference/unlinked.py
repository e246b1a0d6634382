"""Fields of a source whose dims link to nothing, where a fresh inference links them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from .. import layers
from .._spec.questions import schema_names
from ..schema.unlinked import unlinked_text

_Places = dict[tuple[str, str], tuple[int, list[str]]]


def unlinked(text: str, fresh: str, *, path: str) -> list[str]:
    """A line for each field or pattern that has a schema of the catalogue without a `Bind`.

    What a fresh inference leaves without one, too, stands alone by nature.

    Args:
      text: the source that stands there, as Python that can be parsed.
      fresh: the source that `infer` writes now.
      path: of the source, for the lines.
    """
    there, wanted = _places(text), _places(fresh)
    found: list[str] = []
    for (title, field), (line, names) in there.items():
        for name in names:
            dims = _dims(name)
            if dims and name not in wanted.get((title, field), (0, []))[1]:
                found.append(f"{path}:{line}: {unlinked_text(f'{title}.{field}', name, dims)}")
    return found


def _dims(name: str) -> list[str]:
    cls: Any = getattr(layers, name)
    if getattr(cls, "__parameters__", ()):  # of what it is given
        return []
    ref = getattr(cls, "__typedstate_ref__", None)
    return [] if ref is None else schema_names(ref.resolve())


def _places(text: str) -> _Places:
    """The schemas of the catalogue without a `Bind`, by class and field."""
    tree = ast.parse(text)
    known = dict(_imported(tree))
    found: _Places = {}
    for cls in tree.body:
        if not isinstance(cls, ast.ClassDef):
            continue
        for item in cls.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                names = [known[name] for name in _alone(item.annotation) if name in known]
                found[cls.name, item.target.id] = (item.lineno, names)
        for pattern, hint in _patterns(cls):
            names = [known[name] for name in _alone(hint) if name in known]
            found[cls.name, pattern] = (hint.lineno, names)
    return found


def _patterns(cls: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """The hints under the patterns of ``extra=``, by the pattern without its count."""
    for keyword in cls.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            for key, hint in zip(keyword.value.keys, keyword.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield re.sub(r"\{[^{}]*\}", "{}", key.value), hint


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names by which a source knows the catalogue's classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == layers.__name__:
            for item in node.names:
                if item.name in layers.__all__:
                    yield item.asname or item.name, item.name
        elif isinstance(node, ast.ImportFrom) and node.module == "typedstate":
            for item in node.names:
                if item.name == "layers":
                    yield from _within(item.asname or "layers")
        elif isinstance(node, ast.Import):
            for item in node.names:
                if item.name == layers.__name__:
                    yield from _within(item.asname or item.name)


def _within(module: str) -> Iterator[tuple[str, str]]:
    for name in layers.__all__:
        yield f"{module}.{name}", name


def _alone(node: ast.expr) -> Iterator[str]:
    """The names in an annotation that stand in no `Bind` and no `Scoped`."""
    match node:
        case ast.Constant(value=str() as text):
            try:
                yield from _alone(ast.parse(text.strip(), mode="eval").body)
            except SyntaxError:
                return
        case ast.Subscript(value=form, slice=inner):
            if ast.unparse(form).rpartition(".")[2] in ("Bind", "Scoped"):
                return
            for item in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                yield from _alone(item)
        case ast.BinOp(left=left, right=right):
            yield from _alone(left)
            yield from _alone(right)
        case ast.Name() | ast.Attribute():
            yield ast.unparse(node)
        case _:
            return
