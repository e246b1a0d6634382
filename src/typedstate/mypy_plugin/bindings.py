"""How often the text of a module binds a name, and what may change a list in place."""

from __future__ import annotations

import ast
from collections import Counter
from functools import lru_cache
from typing import Final

_CHANGING: Final = ("insert", "pop", "remove", "reverse", "sort", "clear", "extend")


@lru_cache(maxsize=16)
def bindings(source: str) -> Counter[tuple[bool, str]]:
    """How often each name is bound, and each attribute: the key says whether it is one.

    An attribute is also counted where an item of it is, and for each call of its methods that move
    items.
    """
    try:
        return Counter(name for node in ast.walk(ast.parse(source)) for name in _bound(node))
    except SyntaxError:
        return Counter()


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
