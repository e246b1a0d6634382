"""Sizes as polynomials: whether two expressions over names say the same."""

from __future__ import annotations

from collections.abc import Mapping

from .._spec import dims
from .._spec.dims import Expr, Fixed, Name, Opaque, Product, Sum
from .scopes import Var

#: A sum of products: how often each product of atoms stands in it.
Polynomial = Mapping[tuple[str, ...], int]


def polynomial(expr: Expr[Var], known: Mapping[Var, Polynomial]) -> Polynomial:
    """The normal form of an expression; operations that are never solved are atoms."""
    match expr:
        case Fixed(value):
            return _clean({(): value})
        case Name(name):
            found = known.get(name)
            return {(atom(name),): 1} if found is None else found
        case Sum(left, right, sign):
            return plus(polynomial(left, known), polynomial(right, known), sign)
        case Product(left, right):
            return times(polynomial(left, known), polynomial(right, known))
        case Opaque(symbol, left, right):
            a, b = polynomial(left, known), polynomial(right, known)
            if set(a) <= {()} and set(b) <= {()}:
                both: Opaque[Var] = Opaque(symbol, Fixed(a.get((), 0)), Fixed(b.get((), 0)))
                size = dims.evaluate(both, {})
                if size is not None:
                    return _clean({(): size})
            return {(f"({_show(a)}){symbol}({_show(b)})",): 1}


def atom(name: Var) -> str:
    """How a name stands in a polynomial."""
    return f"{name.name}.{name.scope}"


def _clean(sums: dict[tuple[str, ...], int]) -> Polynomial:
    return {product: count for product, count in sums.items() if count}


def plus(a: Polynomial, b: Polynomial, sign: int) -> Polynomial:
    """The sum of two, or their difference."""
    sums = dict(a)
    for product, count in b.items():
        sums[product] = sums.get(product, 0) + sign * count
    return _clean(sums)


def times(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of two."""
    sums: dict[tuple[str, ...], int] = {}
    for left, count in a.items():
        for right, other in b.items():
            product = tuple(sorted((*left, *right)))
            sums[product] = sums.get(product, 0) + count * other
    return _clean(sums)


def _show(sums: Polynomial) -> str:
    return "+".join(f"{count}*{'*'.join(product)}" for product, count in sorted(sums.items()))
