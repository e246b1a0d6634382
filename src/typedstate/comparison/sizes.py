"""Compares the sizes that two hints allow, as polynomials.

Every axis of the first is an expression over its names. The second allows it if its own names have
sizes with which its expressions are equal: solve for the names of the second, then compare the
remaining expressions as polynomials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .._spec import dims
from .._spec.dims import Expr
from .._validation.polynomials import Polynomial, atom, plus, polynomial, times
from .._validation.scopes import Var


def solve(
    expr: Expr[Var], wanted: Polynomial, known: Mapping[Var, Polynomial]
) -> tuple[Var, Polynomial] | None:
    """The only open name of an expression with its size; None if it can't be told."""
    opened = {name for name in dims.names_of(expr) if name not in known}
    if len(opened) != 1:
        return None
    (name,) = opened
    offset = polynomial(expr, {**known, name: {}})
    slope = plus(polynomial(expr, {**known, name: {(): 1}}), offset, -1)
    linear = plus(times(slope, {(atom(name),): 1}), offset, 1)
    if linear != polynomial(expr, known) or set(slope) != {()}:
        return None
    rest, factor = plus(wanted, offset, -1), slope[()]
    if any(count % factor for count in rest.values()):
        return None
    return name, {product: count // factor for product, count in rest.items()}


def opened(expr: Expr[Var], known: Mapping[Var, Polynomial]) -> Iterator[Var]:
    """Yields the names whose sizes are not known."""
    yield from (name for name in dims.names_of(expr) if name not in known)
