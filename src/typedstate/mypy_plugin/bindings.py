"""Counts how often the text of a module binds a name or an attribute."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_WHOLE: Final = (0, 1 << 30)
_CHANGING: Final = ("insert", "pop", "remove", "reverse", "sort", "clear", "extend")


def bindings(source: str, name: str, line: int) -> int:
    """How often a name is bound by the function around a line, or by the module outside of one."""
    around = [place for place in _functions(source) if place[0] <= line <= place[1]]
    for place in sorted(around, key=lambda place: place[0], reverse=True):
        count = _counted(source, place)[False, name]
        if count > 0:
            return count
    return _counted(source, _WHOLE)[False, name]


def attribute_bindings(source: str, name: str) -> int:
    """How often a module binds an attribute of this name of any object.

    Assignments to items of the attribute count too, and calls of its methods that move items.
    """
    return _counted(source, _WHOLE)[True, name]


@lru_cache(maxsize=16)
def _functions(source: str) -> dict[tuple[int, int], ast.AST]:
    """The functions of a module by first and last line, and the module itself."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    found: dict[tuple[int, int], ast.AST] = {_WHOLE: tree}
    for node in _statements(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.lineno, node.end_lineno or node.lineno] = node
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below another; their expressions, by far the most nodes, hold none."""
    for part in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, part, ()):
            yield child
            yield from _statements(child)


@lru_cache(maxsize=256)
def _counted(source: str, place: tuple[int, int]) -> Counter[tuple[bool, str]]:
    """How often a function or the module binds each name; the flag is True for attributes."""
    scope = _functions(source).get(place)
    nodes = () if scope is None else ast.walk(scope)
    return Counter(name for node in nodes for name in _bound(node))


def _bound(node: ast.AST) -> list[tuple[bool, str]]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [(False, name)]
        case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
            return [(True, name)]
        case ast.Subscript(value=ast.Attribute(attr=name), ctx=ast.Store() | ast.Del()):
            return [(True, name)]
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return [(False, name)]
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name), attr=method)):
            return [(True, name)] if method in _CHANGING else []
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
            return [(False, name)] if method in _CHANGING else []
        case _:
            return []
