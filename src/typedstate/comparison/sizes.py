"""Whether the sizes that one hint allows are among those that another allows.

Every axis of the first is an expression over its names, and the second must have sizes for its
own names with which its expressions say the same: the names of the second are solved for, and
what is left is compared as polynomials.
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
    """The size of an expression's only open name; None if it can't be told."""
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
    """Yields the names that are not known."""
    yield from (name for name in dims.names_of(expr) if name not in known)
