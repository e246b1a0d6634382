"""Which reads of an optional field come after a question whether it is there.

Guards are ``"bias" in state`` and ``fits``-like questions never; what counts is the text of the
state, so that ``"bias" in state.up`` guards ``state.up.bias`` until the branch ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mypy.nodes import (
    AssertStmt,
    Block,
    ComparisonExpr,
    ConditionalExpr,
    Expression,
    FuncItem,
    IfStmt,
    IndexExpr,
    IntExpr,
    MemberExpr,
    MypyFile,
    NameExpr,
    Node,
    OpExpr,
    RaiseStmt,
    ReturnStmt,
    Statement,
    StrExpr,
    UnaryExpr,
    WhileStmt,
)
from mypy.traverser import TraverserVisitor

Guard = tuple[str, str]  # the state's text, the key
_LEAVES: Final = (ReturnStmt, RaiseStmt)


def is_guarded(scope: FuncItem | MypyFile, read: Expression) -> bool:
    """Whether an attribute is read where its presence is known."""
    visitor = _Guards()
    scope.accept(visitor)
    return id(read) in visitor.guarded


def text_of(expr: Expression) -> str | None:
    """The text of a state's expression; None for what may be another one each time."""
    match expr:
        case NameExpr(name=name):
            return name
        case MemberExpr(expr=inner, name=name):
            text = text_of(inner)
            return None if text is None else f"{text}.{name}"
        case IndexExpr(base=base, index=StrExpr(value=key) | IntExpr(value=key)):
            text = text_of(base)
            return None if text is None else f"{text}[{key!r}]"
        case _:
            return None


def _guards(condition: Expression, *, holds: bool) -> set[Guard]:
    """What is known to be there where a condition holds, or does not."""
    match condition:
        case ComparisonExpr(operators=[operator], operands=[StrExpr(value=key), state]):
            text = text_of(state)
            known = operator == ("in" if holds else "not in")
            return {(text, key)} if known and text is not None else set()
        case UnaryExpr(op="not", expr=inner):
            return _guards(inner, holds=not holds)
        case OpExpr(op="and" | "or" as op, left=left, right=right):
            both = _guards(left, holds=holds), _guards(right, holds=holds)
            return both[0] | both[1] if (op == "and") == holds else both[0] & both[1]
        case _:
            return set()


class _Guards(TraverserVisitor):
    """Walks statements in order, with the guards that hold there."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[Guard] = set()
        self.guarded: set[int] = set()

    def visit_member_expr(self, o: MemberExpr) -> None:
        text = text_of(o.expr)
        if text is not None and (text, o.name) in self.known:
            self.guarded.add(id(o))
        super().visit_member_expr(o)

    def visit_block(self, block: Block) -> None:
        before = set(self.known)
        super().visit_block(block)
        self.known = before

    def visit_if_stmt(self, o: IfStmt) -> None:
        before = set(self.known)
        for condition, body in zip(o.expr, o.body, strict=True):
            condition.accept(self)
            refused = _guards(condition, holds=False)
            self._with(_guards(condition, holds=True), [body])
            self.known |= refused
        if o.else_body is not None:
            o.else_body.accept(self)
        left = all(_leaves(body.body) for body in o.body)
        if not left:
            self.known = before

    def visit_while_stmt(self, o: WhileStmt) -> None:
        o.expr.accept(self)
        self._with(_guards(o.expr, holds=True), [o.body])

    def visit_assert_stmt(self, o: AssertStmt) -> None:
        super().visit_assert_stmt(o)
        self.known |= _guards(o.expr, holds=True)

    def visit_conditional_expr(self, o: ConditionalExpr) -> None:
        o.cond.accept(self)
        self._with(_guards(o.cond, holds=True), [o.if_expr])
        self._with(_guards(o.cond, holds=False), [o.else_expr])

    def visit_op_expr(self, o: OpExpr) -> None:
        o.left.accept(self)
        known = _guards(o.left, holds=o.op == "and") if o.op in ("and", "or") else set[Guard]()
        self._with(known, [o.right])

    def _with(self, known: set[Guard], nodes: Iterable[Node]) -> None:
        before = set(self.known)
        self.known |= known
        for node in nodes:
            node.accept(self)
        self.known = before


def _leaves(body: list[Statement]) -> bool:
    return bool(body) and isinstance(body[-1], _LEAVES)
