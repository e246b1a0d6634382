"""jaxtyping's grammar of dims: text to `Dim` and back.

Source: https://docs.kidger.site/jaxtyping/api/array/.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from .dims import Dim, Expr, Fixed, Name, Opaque, Product, SingleDim, Sum, VariadicDim

_AST_OPERATORS: Final[dict[type[ast.operator], str]] = {
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}


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
    broadcast = per_leaf = variadic = anonymous = False
    rest = token
    if rest == "...":
        return VariadicDim(None)
    while rest and rest[0] in "#*?_":
        marker, rest = rest[0], rest[1:]
        broadcast |= marker == "#"
        variadic |= marker == "*"
        per_leaf |= marker == "?"
        anonymous |= marker == "_"
        if marker == "_":
            break
    if rest.count("=") == 1 and rest.partition("=")[0].isidentifier():
        rest = rest.partition("=")[2]  # ``rows=4`` documents what 4 stands for
    if anonymous:
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


def parse_expr(text: str) -> Expr[str]:
    """Parses a size: an integer, a name or arithmetic over both; nothing is evaluated."""
    if "{" in text:
        raise DimError(f"{text!r}: braces read the arguments of a call; give the size by dims=")
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
        case ast.BinOp(op=ast.Div()):
            raise DimError(f"{text!r}: '/' gives no size; write '//'")
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
        case Opaque(symbol, left, right):
            return f"{_factor(left, right=True)}{symbol}{_factor(right, right=True)}"


def _factor(expr: Expr[str], *, right: bool = False) -> str:
    plain = isinstance(expr, Fixed | Name) or (isinstance(expr, Product) and not right)
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
