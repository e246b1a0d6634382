"""Finds the reads of a key that come after a check of its presence.

States are compared by their text: ``"bias" in state.up`` guards ``state.up.bias`` until the end of
the branch, and after ``assert`` or an early return until the end of the block.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Iterable
from functools import lru_cache

Guard = tuple[str, str]  # the state's text, the key
Place = tuple[int, int, str]  # line and column of the end of a read, and its key


def asks_for(source: str, key: Hashable) -> bool:
    """Whether a text has ``"key" in``; told without parsing it."""
    return re.search(rf"[\"']{re.escape(str(key))}[\"']\s+(not\s+)?in\b", source) is not None


@lru_cache(maxsize=4)
def guarded_reads(source: str) -> frozenset[Place] | None:
    """The reads of attributes and items in a module that come after a check of their presence.

    None for a text of a later Python than the running one.
    """
    visitor = _Guards()
    try:
        visitor.visit(ast.parse(source))
    except SyntaxError:
        return None
    return frozenset(visitor.guarded)


def _text(expr: ast.expr) -> str | None:
    """The text of a state's expression; None for one whose value may differ each time."""
    match expr:
        case ast.Name():
            return expr.id
        case ast.Attribute(value=inner, attr=name):
            text = _text(inner)
            return None if text is None else f"{text}.{name}"
        case ast.Subscript(value=inner, slice=ast.Constant(value=key)):
            text = _text(inner)
            return None if text is None else f"{text}[{key!r}]"
        case _:
            return None


def _guards(condition: ast.expr, *, holds: bool) -> set[Guard]:
    """The fields that are present if the truth of a condition is `holds`."""
    match condition:
        case ast.Compare(left=ast.Constant(value=str(key)), ops=[operator], comparators=[state]):
            text = _text(state)
            known = isinstance(operator, ast.In if holds else ast.NotIn)
            return {(text, key)} if known and text is not None else set()
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _guards(inner, holds=not holds)
        case ast.BoolOp(op=op, values=values):
            first, *others = (_guards(value, holds=holds) for value in values)
            every = isinstance(op, ast.And) == holds
            return first.union(*others) if every else first.intersection(*others)
        case _:
            return set()


class _Guards(ast.NodeVisitor):
    """Walks statements in order, and keeps the guards in force."""

    def __init__(self) -> None:
        self.known: set[Guard] = set()
        self.guarded: set[Place] = set()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._read(node, node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        self._read(node, key if isinstance(key, str) else None)

    def _read(self, node: ast.Attribute | ast.Subscript, key: str | None) -> None:
        text = _text(node.value)
        if key is not None and text is not None and (text, key) in self.known:
            self.guarded.add((node.end_lineno or 0, node.end_col_offset or 0, key))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._with((), [node.args, *node.decorator_list])
        self._with((), node.body)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._with(_guards(node.test, holds=True), node.body)
        self._with(_guards(node.test, holds=False), node.orelse)
        if _leaves(node.body):
            self.known |= _guards(node.test, holds=False)

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._with(_guards(node.test, holds=True), node.body)
        self._with((), node.orelse)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.generic_visit(node)
        self.known |= _guards(node.test, holds=True)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._with(_guards(node.test, holds=True), [node.body])
        self._with(_guards(node.test, holds=False), [node.orelse])

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        before = set(self.known)
        for value in node.values:
            self.visit(value)
            self.known |= _guards(value, holds=isinstance(node.op, ast.And))
        self.known = before

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._with((), node.body)
        self._with((), node.orelse)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        self.known = {guard for guard in self.known if guard[0].split(".")[0] not in names}

    def _with(self, known: Iterable[Guard], nodes: Iterable[ast.AST]) -> None:
        before = set(self.known)
        self.known |= set(known)
        for node in nodes:
            self.visit(node)
        self.known = before


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
