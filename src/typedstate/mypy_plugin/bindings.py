"""Counts how often the text of a module binds a name or an attribute."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from mypy.nodes import GDEF, Context, FuncItem, MemberExpr, NameExpr

_WHOLE: Final = (0, 1 << 30)
_PARTS: Final = ("body", "orelse", "handlers", "finalbody", "cases")
_NO_START: Final = ("", " ", "\t", "\r", "\f", "#", ")", "]", "}", "'", '"')
_CHANGING: Final = ("append", "insert", "pop", "remove", "reverse", "sort", "clear", "extend")


def times_bound(source: str, name: str, line: int) -> int:
    """How often a name is bound by the function around a line, or by the module outside of one."""
    counts = (_counted(text, place)[False, name] for text, _, place in _scopes(source, line))
    return next(filter(None, counts), 0)


def assigned_name(source: str, value: Context) -> str | None:
    """The name to which an expression is assigned as a whole; told without parsing the text."""
    lines, _ = _lines(source)
    if value.end_line is None or value.end_line > len(lines):
        return None
    after = lines[value.end_line - 1].encode()[value.end_column or 0 :]
    before = lines[value.line - 1].encode()[: value.column]
    assigned = re.fullmatch(rb"\s*(\w+)\s*=\s*", before)
    is_whole = re.fullmatch(rb"\s*(#.*)?", after)
    return assigned[1].decode() if assigned is not None and is_whole is not None else None


def attribute_bindings(source: str, name: str) -> int:
    """How often a module binds an attribute of this name of any object.

    Assignments to items of the attribute count too, and calls of its methods that move items.
    """
    return _counted(source, _WHOLE)[True, name]


def is_made_once(
    source: str, name: str, line: int | None, within: tuple[tuple[bool, str], ...] = ()
) -> bool:
    """Whether a name is bound once, to a new value or to another name of which that is true.

    Args:
      source: the text of the module.
      name: the name, or an attribute of any object.
      line: where the name is read; None for an attribute.
      within: the names that were followed to this one; the flag is True for attributes.
    """
    bound = line is None, name
    if bound in within:
        return False
    for text, before, place in _scopes(source, line):
        count = _counted(text, place)[bound]
        if count > 0:
            values = [one.value for one in _bindings(text, place).get(bound, []) if one.value]
            once = count == len(values) == 1
            return once and _is_new(source, values[0], before, (*within, bound))
    return False


def _is_new(
    source: str, value: ast.expr, before: int, within: tuple[tuple[bool, str], ...]
) -> bool:
    """Whether an expression makes a value; a name stands for what it is bound to."""
    match value:
        case ast.Name(id=name, lineno=line):
            return is_made_once(source, name, line + before, within)
        case ast.Attribute(attr=name):
            return is_made_once(source, name, None, within)
        case ast.IfExp(body=body, orelse=other):
            return all(_is_new(source, one, before, within) for one in (body, other))
        case _:
            return True


def is_bound_again(source: str, expr: NameExpr | MemberExpr, function: FuncItem | None) -> bool:
    """Whether a text seems to bind a name or an attribute more than once; told without parsing it.

    Args:
      source: the text of the module.
      expr: the name or attribute.
      function: the function in which it stands; None outside of one.
    """
    text = source
    if function is not None and isinstance(expr, NameExpr) and expr.kind != GDEF:
        text = "\n".join(source.split("\n")[function.line - 1 : function.end_line])
    before = r"\." if isinstance(expr, MemberExpr) else r"(?<![\w.])"
    name = re.escape(expr.name)
    assigned = rf"{before}{name}\b(?=[^=\n]*(?<![=!<>])=(?!=))"
    taken = rf"\b(?:for|as|del)\b.*{before}{name}\b"
    found = len(re.findall(rf"{assigned}|{taken}", text))
    is_argument: bool = getattr(expr.node, "is_argument", True)  # not in every mypy
    return found + is_argument > 1


def is_joined(source: str, expr: NameExpr | MemberExpr) -> bool:
    """Whether a name is bound in several blocks of statements: in branches, or in a loop.

    There mypy joins the types, and of two that differ only in what this plugin knows it keeps one.
    """
    found = _of(source, expr)
    return found is None or len({binding.block for binding in found}) > 1


def has_origins(source: str, expr: NameExpr | MemberExpr) -> bool:
    """Whether a name is joined from several values, none of which is made of the name itself.

    ``params = jax.tree.map(f, params)`` in a loop gives a tree of the same keys.
    """
    found = _of(source, expr)
    return found is None or len({one.block for one in found if not one.of_itself}) > 1


class _Binding(NamedTuple):
    """A statement that binds a name.

    Attributes:
      block: the number of the block of statements that it stands in.
      of_itself: whether the value is the result of a call that takes the name.
      value: what is assigned to it alone; None for another statement.
    """

    block: int
    of_itself: bool
    value: ast.expr | None = None


def _of(source: str, expr: NameExpr | MemberExpr) -> list[_Binding] | None:
    """The bindings of a name by the function around it, or of an attribute by the module.

    None for a text of a later Python than the running one.
    """
    line = None if isinstance(expr, MemberExpr) else expr.line
    for text, _, place in _scopes(source, line):
        found = _bindings(text, place).get((line is None, expr.name))
        if found:
            return found
    return [] if _functions(source) else None


@lru_cache(maxsize=256)
def _bindings(source: str, place: tuple[int, int]) -> dict[tuple[bool, str], list[_Binding]]:
    """The bindings of each name by a function or the module; the flag is True for attributes."""
    found: dict[tuple[bool, str], list[_Binding]] = {}
    scope = _functions(source).get(place)
    for number, (block, apart) in enumerate(() if scope is None else _blocks(scope)):
        for statement in block:
            value = _value_of(statement)
            for bound in _bound_by(statement, apart=apart):
                binding = _Binding(number, _takes(statement, bound[1]), value)
                found.setdefault(bound, []).append(binding)
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        for arg in ast.walk(scope.args):
            if isinstance(arg, ast.arg):
                found.setdefault((False, arg.arg), []).append(_Binding(0, False))
    return found


def _blocks(node: ast.AST, *, apart: bool = False) -> Iterator[tuple[list[ast.AST], bool]]:
    """Each list of statements below a node, its own first, and whether its names are apart."""
    for part in _PARTS:
        block: list[ast.AST] = getattr(node, part, [])
        if block:
            yield block, apart
        for statement in block:
            yield from _blocks(statement, apart=apart or _is_apart(statement))


def _is_apart(node: ast.AST) -> bool:
    """Whether a statement is a function that binds no name of what is around it."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return not any(isinstance(one, ast.Global | ast.Nonlocal) for one in ast.walk(node))


def _bound_by(statement: ast.AST, *, apart: bool) -> Iterator[tuple[bool, str]]:
    """What a statement binds itself, without the blocks in it."""
    inner = {id(node) for part in _PARTS for node in getattr(statement, part, ())}
    yield from _bound(statement, apart=apart)
    for child in ast.iter_child_nodes(statement):
        if id(child) not in inner:
            for node in ast.walk(child):
                yield from _bound(node, apart=apart)


def _value_of(statement: ast.AST) -> ast.expr | None:
    """What a statement assigns to one name or attribute."""
    match statement:
        case (
            ast.Assign(targets=[ast.Name() | ast.Attribute()], value=value)
            | ast.AnnAssign(value=value)
        ):
            return value
        case _:
            return None


def _takes(statement: ast.AST, name: str) -> bool:
    """Whether a statement assigns the result of a call that takes a name."""
    match statement:
        case ast.Assign(value=ast.Call() as call) | ast.AnnAssign(value=ast.Call() as call):
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            nodes = [node for arg in given for node in ast.walk(arg)]
            return any(
                name in (getattr(node, "id", None), getattr(node, "attr", None)) for node in nodes
            )
        case _:
            return False


def _scopes(source: str, line: int | None) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Yields the functions around a line, the innermost first, and the module; it alone for None.

    Each is a text, the number of lines before it, and a place in it.
    """
    if line is not None:
        text, before, places = _around(source, line)
        yield from ((text, before, place) for place in places)
    yield source, 0, _WHOLE


def _around(source: str, line: int) -> tuple[str, int, list[tuple[int, int]]]:
    """A text with the functions around a line, the lines before it, and their places in it.

    The innermost comes first. The text is that of the module's statement in which the line stands,
    as a long module takes its time to be parsed; and the module's own where that has no function,
    as what looks like the beginning of a statement may stand in a string.
    """
    lines, starts = _lines(source)
    first = bisect_right(starts, line) - 1
    if first >= 0:
        before = starts[first] - 1
        end = starts[first + 1] - 1 if first + 1 < len(starts) else None
        text = "\n".join(lines[before:end])
        places = _places(text, line - before)
        if places:
            return text, before, places
    return source, 0, _places(source, line)


def _places(text: str, line: int) -> list[tuple[int, int]]:
    """The places of the functions around a line, the innermost first."""
    around = [place for place in _functions(text) if place[0] <= line <= place[1]]
    return sorted((place for place in around if place != _WHOLE), reverse=True)


@lru_cache(maxsize=16)
def _lines(source: str) -> tuple[list[str], list[int]]:
    """The lines of a text, and the numbers of those in whose first column a statement may begin."""
    lines = source.split("\n")
    return lines, [number for number, text in enumerate(lines, 1) if text[:1] not in _NO_START]


@lru_cache(maxsize=64)
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
    for part in _PARTS:
        for child in getattr(node, part, ()):
            yield child
            yield from _statements(child)


@lru_cache(maxsize=256)
def _counted(source: str, place: tuple[int, int]) -> Counter[tuple[bool, str]]:
    """How often a function or the module binds each name; the flag is True for attributes."""
    scope = _functions(source).get(place)
    nodes = () if scope is None else _walk(scope)
    found: Counter[tuple[bool, str]] = Counter()
    for node, apart in nodes:
        found.update(_bound(node, apart=apart))
    return found


def _walk(scope: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """A function or the module, all below it, and whether names are apart there."""
    left: list[tuple[ast.AST, bool]] = [(scope, False)]
    while left:
        node, apart = left.pop()
        yield node, apart
        left += [(child, apart or _is_apart(child)) for child in ast.iter_child_nodes(node)]


def _bound(node: ast.AST, *, apart: bool) -> list[tuple[bool, str]]:
    """What a node binds or changes; a name that is apart is bound for others by a change alone."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [] if apart else [(False, name)]
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
