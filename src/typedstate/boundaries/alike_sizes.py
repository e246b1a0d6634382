"""Sizes of trees that `Same` holds together: whether any sizes satisfy a whole signature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import assert_never

import msgspec

from .._spec import dim_grammar
from .._spec.dims import Expr, Name, SingleDim, VariadicDim, substitute
from .._spec.node_groups import StateSpec, ValueSpec, WrapperSpec
from .._spec.nodes import Anything, Array, EntriesSpec, Leaf, Node, SchemaRef, Spec, Union
from .._spec.questions import root_of
from .._validation.opening import At, Side, open_binds
from .._validation.polynomials import Polynomial, plus, polynomial
from .._validation.scopes import Scope, Var
from ..report import Path, show_path

#: The size of each axis of an array, over the names of the call; None for any.
Shape = tuple[Expr[Var] | None, ...]


class SizesOfCall(msgspec.Struct):
    """The equations between the axes of trees that are alike, in one signature."""

    _trees: int = 0
    _side: Side = msgspec.field(default_factory=Side)
    _known: dict[str, Polynomial] = msgspec.field(default_factory=dict[str, Polynomial])
    _open: list[tuple[Polynomial, str]] = msgspec.field(
        default_factory=list[tuple[Polynomial, str]]
    )

    def shapes(self, spec: Spec) -> dict[Path, Shape]:
        """The shapes of the arrays that every tree of a spec has, of those of a known rank."""
        self._trees += 1
        return dict(self._leaves(At(spec, Scope(0), outermost=True), (), frozenset()))

    def equate(self, one: dict[Path, Shape], other: dict[Path, Shape]) -> str:
        """Says that two trees agree in their shapes; why no sizes do, empty where some may."""
        for path in one.keys() & other.keys():
            for axis, (a, b) in enumerate(zip(one[path], other[path], strict=False)):
                if a is None or b is None:
                    continue
                text = f"{show_path(path)} is of size {_show(a)} and of size {_show(b)}"
                difference = plus(polynomial(a, {}), polynomial(b, {}), -1)
                self._open.append((difference, f"{text} on axis {axis}"))
        return self._settle()

    def _settle(self) -> str:
        """Solves for what can be solved; the first equation that nothing satisfies."""
        progress = True
        while progress:
            progress, left = False, self._open
            self._open = []
            for equation, text in left:
                now = _substituted(equation, self._known)
                if _is_never(now):
                    return text
                found = _solved(now)
                if found is None:
                    self._open.append((now, text))
                    continue
                name, value = found
                self._known = {
                    key: _substituted(known, {name: value}) for key, known in self._known.items()
                }
                self._known[name] = value
                progress = True
            self._open = [(equation, text) for equation, text in self._open if equation]
        return ""

    def _leaves(
        self, at: At, path: Path, seen: frozenset[SchemaRef]
    ) -> Iterator[tuple[Path, Shape]]:
        at = open_binds(self._side, at, (self._trees, *path))
        spec = at.spec
        match spec:
            case Node(ref):
                root = root_of(ref)
                if root in seen:
                    return
                for item in ref.resolve().fields:
                    if not item.optional and item.shared is None:
                        below = At(item.spec, at.scope)
                        yield from self._leaves(below, (*path, item.key), seen | {root})
            case EntriesSpec(items):
                for index, entry in enumerate(items):
                    if entry is not None:
                        yield from self._leaves(At(entry, at.scope), (*path, index), seen)
            case Leaf(value=Array() as array) | (Array() as array):
                shape = _shape(array, at.scope)
                if shape is not None:
                    yield path, shape
            case Anything() | Union() | WrapperSpec() | ValueSpec() | StateSpec():
                return
            case _:
                assert_never(spec)


def _shape(array: Array, scope: Scope) -> Shape | None:
    if array.shape is None or array.inserted:
        return None
    sizes: list[Expr[Var] | None] = []
    for dim in array.shape:
        if isinstance(dim, VariadicDim):
            return None
        sizes.append(_size(dim, scope))
    return tuple(sizes)


def _size(dim: SingleDim, scope: Scope) -> Expr[Var] | None:
    plain = dim.expr is not None and not dim.broadcast and not dim.per_leaf
    return substitute(dim.expr, scope.lookup) if plain and dim.expr is not None else None


def _substituted(sums: Polynomial, known: dict[str, Polynomial]) -> Polynomial:
    """A polynomial with others in the place of names that stand alone in its terms."""
    found: Polynomial = {}
    for product, count in sums.items():
        term: Polynomial = {product: count}
        if len(product) == 1 and product[0] in known:
            term = {key: count * other for key, other in known[product[0]].items()}
        found = plus(found, term, 1)
    return found


def _solved(sums: Polynomial) -> tuple[str, Polynomial] | None:
    """One name of an equation by the others, where it has the factor 1 and no other place."""
    for product, count in sums.items():
        if len(product) != 1 or abs(count) != 1 or "(" in product[0]:
            continue
        rest = {key: other for key, other in sums.items() if key != product}
        if any(product[0] in key for key in rest):
            continue
        return product[0], {key: -count * other for key, other in rest.items()}
    return None


def _is_never(sums: Polynomial) -> bool:
    """Whether no sizes make it 0: a number, or one that the factors of its names don't divide."""
    number = sums.get((), 0)
    factors = [count for product, count in sums.items() if product]
    return number % math.gcd(*factors) != 0 if factors else number != 0


def _show(expr: Expr[Var]) -> str:
    return dim_grammar.show_expr(substitute(expr, lambda var: Name(var.name)))
