"""Compares the sizes that two hints allow, as polynomials.

Every axis of the first is an expression over its names. The second allows it if its own names have
sizes with which its expressions are equal: solve for the names of the second, then compare the
remaining expressions as polynomials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .._spec import dims
from .._spec.dims import Expr, Fixed, Name, Opaque, Product, Sum
from .._validation.scopes import Var

#: A sum of products: how often each product of atoms stands in it.
Polynomial = Mapping[tuple[str, ...], int]


def polynomial(expr: Expr[Var], known: Mapping[Var, Polynomial]) -> Polynomial:
    """The normal form of an expression; operations that are never solved are atoms."""
    match expr:
        case Fixed(value):
            return _clean({(): value})
        case Name(name):
            found = known.get(name)
            return {(_atom(name),): 1} if found is None else found
        case Sum(left, right, sign):
            return _plus(polynomial(left, known), polynomial(right, known), sign)
        case Product(left, right):
            return _times(polynomial(left, known), polynomial(right, known))
        case Opaque(symbol, left, right):
            a, b = polynomial(left, known), polynomial(right, known)
            if set(a) <= {()} and set(b) <= {()}:
                both: Opaque[Var] = Opaque(symbol, Fixed(a.get((), 0)), Fixed(b.get((), 0)))
                size = dims.evaluate(both, {})
                if size is not None:
                    return _clean({(): size})
            return {(f"({_show(a)}){symbol}({_show(b)})",): 1}


def solve(
    expr: Expr[Var], wanted: Polynomial, known: Mapping[Var, Polynomial]
) -> tuple[Var, Polynomial] | None:
    """The only open name of an expression with its size; None if it can't be told."""
    opened = {name for name in dims.names_of(expr) if name not in known}
    if len(opened) != 1:
        return None
    (name,) = opened
    offset = polynomial(expr, {**known, name: {}})
    slope = _plus(polynomial(expr, {**known, name: {(): 1}}), offset, -1)
    linear = _plus(_times(slope, {(_atom(name),): 1}), offset, 1)
    if linear != polynomial(expr, known) or set(slope) != {()}:
        return None
    rest, factor = _plus(wanted, offset, -1), slope[()]
    if any(count % factor for count in rest.values()):
        return None
    return name, {product: count // factor for product, count in rest.items()}


def opened(expr: Expr[Var], known: Mapping[Var, Polynomial]) -> Iterator[Var]:
    """Yields the names whose sizes are not known."""
    yield from (name for name in dims.names_of(expr) if name not in known)


def _atom(name: Var) -> str:
    return f"{name.name}.{name.scope}"


def _clean(sums: dict[tuple[str, ...], int]) -> Polynomial:
    return {product: count for product, count in sums.items() if count}


def _plus(a: Polynomial, b: Polynomial, sign: int) -> Polynomial:
    sums = dict(a)
    for product, count in b.items():
        sums[product] = sums.get(product, 0) + sign * count
    return _clean(sums)


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    sums: dict[tuple[str, ...], int] = {}
    for left, count in a.items():
        for right, other in b.items():
            product = tuple(sorted((*left, *right)))
            sums[product] = sums.get(product, 0) + count * other
    return _clean(sums)


def _show(sums: Polynomial) -> str:
    return "+".join(f"{count}*{'*'.join(product)}" for product, count in sorted(sums.items()))
