"""jaxtyping's grammar of dims: text to `Dim` and back.

Source: https://docs.kidger.site/jaxtyping/api/array/.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable
from typing import Final

from .dims import Dim, Expr, Fixed, Name, Opaque, Product, SingleDim, Sum, VariadicDim

_AST_OPERATORS: Final[dict[type[ast.operator], str]] = {
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}


_NUMBER: Final = re.compile(r"\+?[0-9]+(_[0-9]+)*")


class DimError(ValueError):
    """Text that is no dimension; the parser adds class and field."""


def parse_shape(text: str, read: Callable[[str], str] | None = None) -> tuple[Dim, ...]:
    """Parses what stands in a hint's quotes, e.g. ``"*batch 4*d"``.

    Args:
      text: it.
      read: what a dim with braces is in one call, without its markers; None where no call is.
    """
    dims = tuple(parse_dim(token, read) for token in text.split())
    if sum(isinstance(dim, VariadicDim) for dim in dims) > 1:
        raise DimError(f"{text!r} has more than one '...' or '*name': at most one can be solved")
    return dims


def parse_dim(token: str, read: Callable[[str], str] | None = None) -> Dim:
    """Parses one token of a shape; `read` says what one with braces is."""
    if token == "...":
        return VariadicDim(None)
    marks, rest = _marks(token)
    broadcast, variadic, per_leaf = ("#" in marks), ("*" in marks), ("?" in marks)
    if "_" in marks:
        return VariadicDim(None) if variadic else SingleDim("_", None)
    if not rest:
        raise DimError(f"{token!r} has markers but no name or size")
    if variadic:
        if not rest.isidentifier():
            raise DimError(f"{token!r}: '*' wants a name, not {rest!r}")
        return VariadicDim(rest, broadcast, per_leaf)
    said = rest if read is None or "{" not in rest else read(rest)
    expr = None if said == "_" else parse_expr(said)
    return SingleDim(rest, expr, broadcast, per_leaf)


def _marks(token: str) -> tuple[str, str]:
    """The markers before a name or size, in any order, and what they stand before.

    ``rows=4`` documents what 4 stands for, before a marker or behind one.
    """
    marks, rest = "", token
    while rest:
        name, equals, value = rest.partition("=")
        if rest[0] in "#*?_":
            marks, rest = marks + rest[0], rest[1:]
        elif equals and "=" not in value and name[-1:] not in ("<", ">", "!"):
            rest = value
        else:
            break
    return marks, rest


def parse_expr(text: str) -> Expr[str]:
    """Parses a size: an integer, a name or arithmetic over both; nothing is evaluated."""
    if "{" in text:
        raise DimError(f"{text!r}: braces read the arguments of a call; give the size by dims=")
    if keyword.iskeyword(text) and text.islower():
        return Name(text)  # ``in``, ``class``: no Python is read
    if _NUMBER.fullmatch(text):
        return Fixed(int(text))  # ``04`` too
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise DimError(f"{text!r} is neither a size, a name nor arithmetic") from None
    try:
        return _from_ast(tree, text)
    except RecursionError:
        raise DimError(f"{text[:40]!r}… is nested too deeply") from None


def _from_ast(node: ast.expr, text: str) -> Expr[str]:
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool) and value >= 0:
            return Fixed(value)
        case ast.Name(id=name):
            return Name(name)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return Sum(_from_ast(left, text), _from_ast(right, text))
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return Sum(_from_ast(left, text), _from_ast(right, text), -1)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return Product(_from_ast(left, text), _from_ast(right, text))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _AST_OPERATORS:
            symbol = _AST_OPERATORS[type(op)]
            return Opaque(symbol, _from_ast(left, text), _from_ast(right, text))
        case ast.Call(
            func=ast.Name(id="min" | "max" as symbol), args=[first, *others], keywords=[]
        ):
            found = _from_ast(first, text)
            for other in others:
                found = Opaque(symbol, found, _from_ast(other, text))
            return found
        case _:
            raise DimError(f"{text!r} is neither a size, a name nor arithmetic")


def show_expr(expr: Expr[str]) -> str:
    """Writes an expression back as text that parses to the same expression."""
    match expr:
        case Fixed(value):
            return str(value)
        case Name(name):
            return name
        case Sum(left, right, sign):
            text = f"({show_expr(right)})" if isinstance(right, Sum) else show_expr(right)
            return f"{show_expr(left)}{'+' if sign > 0 else '-'}{text}"
        case Product(left, right):
            return f"{_factor(left)}*{_factor(right, right=True)}"
        case Opaque("min" | "max" as symbol, left, right):
            return f"{symbol}({show_expr(left)},{show_expr(right)})"
        case Opaque(symbol, left, right):
            return f"{_factor(left, right=True)}{symbol}{_factor(right, right=True)}"


def _factor(expr: Expr[str], *, right: bool = False) -> str:
    call = isinstance(expr, Opaque) and expr.symbol in ("min", "max")
    plain = isinstance(expr, Fixed | Name) or call or (isinstance(expr, Product) and not right)
    return show_expr(expr) if plain else f"({show_expr(expr)})"


def show_shape(shape: tuple[Dim, ...]) -> str:
    """Writes a shape as in a hint."""
    return " ".join(show_dim(dim) for dim in shape)


def show_dim(dim: Dim) -> str:
    """Writes one axis, or a run of axes, as in a hint."""
    markers = ("?" if dim.per_leaf else "") + ("#" if dim.broadcast else "")
    match dim:
        case VariadicDim(None):
            return "..."
        case VariadicDim(name):
            return f"{markers}*{name}"
        case SingleDim(expr=None):
            return "_"
        case SingleDim(text=text):
            return markers + text
