"""How often the text of a module binds a name or an attribute."""

from __future__ import annotations

import ast
from collections import Counter
from functools import lru_cache
from typing import Final

_CHANGING: Final = ("insert", "pop", "remove", "reverse", "sort", "clear", "extend")


def bindings(source: str, name: str, line: int) -> int:
    """How often a name is bound in the function around a line, or in the module if not there."""
    inner: tuple[int, int] | None = None
    for (start, end), names in _scopes(source).items():
        within = start <= line <= end and names[False, name] > 0
        if within and (inner is None or inner[0] <= start):
            inner = (start, end)
    return 0 if inner is None else _scopes(source)[inner][False, name]


def attribute_bindings(source: str, name: str) -> int:
    """How often a module binds an attribute of any object.

    Counted too are its items that are bound, and calls of its methods that move items.
    """
    return max((names[True, name] for names in _scopes(source).values()), default=0)


@lru_cache(maxsize=16)
def _scopes(source: str) -> dict[tuple[int, int], Counter[tuple[bool, str]]]:
    """What the module and each function in it bind, by first and last line; True: attributes."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    found = {(0, 1 << 30): _bindings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.lineno, node.end_lineno or node.lineno] = _bindings(node)
    return found


def _bindings(tree: ast.AST) -> Counter[tuple[bool, str]]:
    return Counter(name for node in ast.walk(tree) for name in _bound(node))


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
