"""The dimensions of an array hint: jaxtyping's grammar, parsed, evaluated and solved.

Called by the parser (text to `Dim`) and by the binding of names (`evaluate`, `solve`).
The grammar is that of https://docs.kidger.site/jaxtyping/api/array/.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar, cast

from .dataclass import dataclass

V = TypeVar("V")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Size:
    """A fixed size: ``4``."""

    value: int


@dataclass(frozen=True, slots=True)
class Name(Generic[V]):
    """A name to be bound: ``d``. After scoping, `name` is a variable of one scope."""

    name: V


@dataclass(frozen=True, slots=True)
class Sum(Generic[V]):
    """``left + right``, with ``sign`` -1 for a difference."""

    left: Expr[V]
    right: Expr[V]
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Product(Generic[V]):
    """``left * right``."""

    left: Expr[V]
    right: Expr[V]


@dataclass(frozen=True, slots=True)
class Other(Generic[V]):
    """An operation that is evaluated but never solved: ``//``, ``%``, ``**``."""

    symbol: str
    left: Expr[V]
    right: Expr[V]


Expr = Size | Name[V] | Sum[V] | Product[V] | Other[V]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an array.

    Attributes:
      text: as it was written, without markers.
      expr: its size, None for ``_``.
      broadcast: ``#``: size 1 fits too.
      per_leaf: ``?``: every leaf has this name to itself.
    """

    text: str
    expr: Expr[str] | None
    broadcast: bool = False
    per_leaf: bool = False


@dataclass(frozen=True, slots=True)
class Axes:
    """Any number of axes: ``...`` (no name) or ``*batch``."""

    name: str | None
    broadcast: bool = False
    per_leaf: bool = False


Dim = Axis | Axes

_OPERATORS: Final[dict[str, Callable[[int, int], int]]] = {
    "//": cast(Any, operator).floordiv,
    "%": operator.mod,
    "**": cast(Any, operator).pow,
}
_AST_OPERATORS: Final[dict[type[ast.operator], str]] = {
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
MAX_POWER: Final = 64


class DimError(ValueError):
    """Text that is no dimension; the parser adds class and field."""


def parse_shape(text: str) -> tuple[Dim, ...]:
    """Parses what stands in a hint's quotes, e.g. ``"*batch 4*d"``."""
    dims = tuple(parse_dim(token) for token in text.split())
    if sum(isinstance(dim, Axes) for dim in dims) > 1:
        raise DimError(f"{text!r} has more than one '...' or '*name': at most one can be solved")
    return dims


def parse_dim(token: str) -> Dim:
    """Parses one token of a shape."""
    broadcast = per_leaf = variadic = anonymous = False
    rest = token
    if rest == "...":
        return Axes(None)
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
        return Axes(None) if variadic else Axis("_", None)
    if not rest:
        raise DimError(f"{token!r} has markers but no name or size")
    if variadic:
        if not rest.isidentifier():
            raise DimError(f"{token!r}: '*' wants a name, not {rest!r}")
        return Axes(rest, broadcast, per_leaf)
    return Axis(rest, parse_expr(rest), broadcast, per_leaf)


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
            return Size(value)
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
            return Other(symbol, _from_ast(left, text), _from_ast(right, text))
        case ast.BinOp(op=ast.Div()):
            raise DimError(f"{text!r}: '/' gives no size; write '//'")
        case _:
            raise DimError(f"{text!r} is neither a size, a name nor arithmetic")


def names_of(expr: Expr[V]) -> Iterator[V]:
    """Yields each name of an expression, repeated as often as it stands there."""
    match expr:
        case Size():
            return
        case Name(name):
            yield name
        case _:
            yield from names_of(expr.left)
            yield from names_of(expr.right)


def substitute(expr: Expr[V], replace: Callable[[V], Expr[W]]) -> Expr[W]:
    """Puts an expression in the place of every name."""
    if isinstance(expr, Name):  # by far the most
        return replace(expr.name)
    match expr:
        case Size():
            return expr
        case Sum(left, right, sign):
            return Sum(substitute(left, replace), substitute(right, replace), sign)
        case Product(left, right):
            return Product(substitute(left, replace), substitute(right, replace))
        case Other(symbol, left, right):
            return Other(symbol, substitute(left, replace), substitute(right, replace))


def evaluate(expr: Expr[V], sizes: Mapping[V, int]) -> int | None:
    """Gives the size, or None where a name is open or the operation has no result."""
    match expr:
        case Size(value):
            return value
        case Name(name):
            return sizes.get(name)
        case _:
            left, right = evaluate(expr.left, sizes), evaluate(expr.right, sizes)
    if left is None or right is None:
        return None
    match expr:
        case Sum(sign=sign):
            return left + sign * right
        case Product():
            return left * right
        case Other("**") if not 0 <= right <= MAX_POWER:
            return None
        case Other(symbol) if symbol == "**" or right != 0:
            return _OPERATORS[symbol](left, right)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Solution(Generic[V]):
    """What one equation says of its only open name; `size` None: no natural number fits."""

    name: V
    size: int | None


def solve(expr: Expr[V], size: int, sizes: Mapping[V, int]) -> Solution[V] | None:
    """Solves ``expr == size`` for its one open name, by exact division.

    None where no name or several are open, or where the expression is not linear in it.
    """
    open_names = {name for name in names_of(expr) if name not in sizes}
    if len(open_names) != 1:
        return None
    (name,) = open_names
    line = _linear(expr, sizes)
    if line is None or line[0] == 0:
        return None
    slope, offset = line
    quotient, remainder = divmod(size - offset, slope)
    return Solution(name, quotient if remainder == 0 and quotient >= 0 else None)


def _linear(expr: Expr[V], sizes: Mapping[V, int]) -> tuple[int, int] | None:
    """Writes the expression as ``slope * open name + offset``, where it can be."""
    match expr:
        case Size(value):
            return 0, value
        case Name(name):
            return (0, sizes[name]) if name in sizes else (1, 0)
        case Sum(left, right, sign):
            a, b = _linear(left, sizes), _linear(right, sizes)
            if a is None or b is None:
                return None
            return a[0] + sign * b[0], a[1] + sign * b[1]
        case Product(left, right):
            a, b = _linear(left, sizes), _linear(right, sizes)
            if a is None or b is None or (a[0] and b[0]):
                return None
            return a[0] * b[1] + b[0] * a[1], a[1] * b[1]
        case Other():
            known = evaluate(expr, sizes)
            return None if known is None else (0, known)


def show(expr: Expr[str]) -> str:
    """Writes an expression back as text that parses to the same expression."""
    match expr:
        case Size(value):
            return str(value)
        case Name(name):
            return name
        case Sum(left, right, sign):
            text = f"({show(right)})" if isinstance(right, Sum) else show(right)
            return f"{show(left)}{'+' if sign > 0 else '-'}{text}"
        case Product(left, right):
            return f"{_factor(left)}*{_factor(right, right=True)}"
        case Other(symbol, left, right):
            return f"{_factor(left, right=True)}{symbol}{_factor(right, right=True)}"


def _factor(expr: Expr[str], *, right: bool = False) -> str:
    plain = isinstance(expr, Size | Name) or (isinstance(expr, Product) and not right)
    return show(expr) if plain else f"({show(expr)})"


def show_shape(shape: tuple[Dim, ...]) -> str:
    """Writes a shape as in a hint."""
    return " ".join(show_dim(dim) for dim in shape)


def show_dim(dim: Dim) -> str:
    """Writes one axis, or a run of axes, as in a hint."""
    markers = ("?" if dim.per_leaf else "") + ("#" if dim.broadcast else "")
    match dim:
        case Axes(None):
            return "..."
        case Axes(name):
            return f"{markers}*{name}"
        case Axis(expr=None):
            return "_"
        case Axis(text=text):
            return markers + text
