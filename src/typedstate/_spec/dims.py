"""The dimensions of an array hint: jaxtyping's grammar, parsed, evaluated and solved.

Called by the parser (text to `Dim`) and by the binding of names (`evaluate`, `solve`).
The grammar is that of https://docs.kidger.site/jaxtyping/api/array/.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

V = TypeVar("V")
W = TypeVar("W")


class Fixed(msgspec.Struct, frozen=True):
    """A fixed size: ``4``."""

    value: int


class Name(msgspec.Struct, Generic[V], frozen=True):
    """A name to be bound: ``d``. After scoping, `name` is a variable of one scope."""

    name: V


class Sum(msgspec.Struct, Generic[V], frozen=True):
    """``left + right``, with ``sign`` -1 for a difference."""

    left: Expr[V]
    right: Expr[V]
    sign: int = 1


class Product(msgspec.Struct, Generic[V], frozen=True):
    """``left * right``."""

    left: Expr[V]
    right: Expr[V]


class Opaque(msgspec.Struct, Generic[V], frozen=True):
    """An operation that is evaluated but not solved: ``/``, ``//``, ``%``, ``**``, min, max.

    ``a/2`` is a size where the division is exact, and no size elsewhere.
    """

    symbol: str
    left: Expr[V]
    right: Expr[V]


Expr = Fixed | Name[V] | Sum[V] | Product[V] | Opaque[V]


class SingleDim(msgspec.Struct, frozen=True):
    """One axis of an array.

    Attributes:
      text: the text of the axis, without the markers ``#`` and ``?``.
      expr: the size as an expression; None for ``_``.
      broadcast: whether it has ``#``: size 1 fits too.
      per_leaf: whether it has ``?``: the name has another size in each leaf.
    """

    text: str
    expr: Expr[str] | None
    broadcast: bool = False
    per_leaf: bool = False


class VariadicDim(msgspec.Struct, frozen=True):
    """Any number of axes: ``...`` (no name) or ``*batch``."""

    name: str | None
    broadcast: bool = False
    per_leaf: bool = False


Dim = SingleDim | VariadicDim
OPERATORS: Final[dict[str, Callable[[int, int], int]]] = {
    "/": cast(Any, operator).floordiv,
    "//": cast(Any, operator).floordiv,
    "%": operator.mod,
    "**": cast(Any, operator).pow,
    "min": min,
    "max": max,
}
#: What has a result whatever stands at its right.
_OVER_ALL: Final = frozenset({"**", "min", "max"})
MAX_POWER: Final = 64
_MAX_BITS: Final = 4096  # of a power: powers of powers would take all memory


def names_of(expr: Expr[V]) -> Iterator[V]:
    """Yields each name of an expression, repeated as often as it stands there."""
    match expr:
        case Fixed():
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
        case Fixed():
            return expr
        case Sum(left, right, sign):
            return Sum(substitute(left, replace), substitute(right, replace), sign)
        case Product(left, right):
            return Product(substitute(left, replace), substitute(right, replace))
        case Opaque(symbol, left, right):
            return Opaque(symbol, substitute(left, replace), substitute(right, replace))


def evaluate(expr: Expr[V], sizes: Mapping[V, int]) -> int | None:
    """Gives the size, or None where a name is open or the operation has no result."""
    match expr:
        case Fixed(value):
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
        case Opaque("**") if not _is_power(left, right):
            return None
        case Opaque("/") if right == 0 or left % right != 0:
            return None
        case Opaque(symbol) if symbol in _OVER_ALL or right != 0:
            return OPERATORS[symbol](left, right)
        case _:
            return None


def _is_power(base: int, exponent: int) -> bool:
    """Whether a power can be computed; its base may be a symbolic size of ``jax.export``."""
    bits = base.bit_length() if isinstance(base, int) else 1  # pyright: ignore[reportUnnecessaryIsInstance]
    return 0 <= exponent <= MAX_POWER and bits * exponent <= _MAX_BITS


class Solution(msgspec.Struct, Generic[V], frozen=True):
    """The size that an equation gives its open name; `size` is None if no natural number fits."""

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
    if isinstance(expr, Opaque) and expr.symbol == "/":
        divisor = evaluate(expr.right, sizes)
        return None if divisor is None else solve(expr.left, size * divisor, sizes)
    line = _linear(expr, sizes)
    if line is None or line[0] == 0:
        return None
    slope, offset = line
    quotient, remainder = divmod(size - offset, slope)
    return Solution(name, quotient if remainder == 0 and quotient >= 0 else None)


def _linear(expr: Expr[V], sizes: Mapping[V, int]) -> tuple[int, int] | None:
    """Writes the expression as ``slope * open name + offset``, where it can be."""
    match expr:
        case Fixed(value):
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
        case Opaque():
            known = evaluate(expr, sizes)
            return None if known is None else (0, known)
