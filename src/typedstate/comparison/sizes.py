"""Compares the sizes that two hints allow, as polynomials.

Every axis of the first is an expression over its names. The second allows it if its own names have
sizes with which its expressions are equal: solve for the names of the second, then compare the
remaining expressions as polynomials.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from .._spec import dims
from .._spec.dim_grammar import show_expr
from .._spec.dims import Expr, Fixed, Name, Opaque, Product, Sum
from .._validation.polynomials import Polynomial, atom, plus, polynomial, times
from .._validation.scopes import Var
from .findings import Code, Equation, Finding


def settled(equations: Iterable[Equation]) -> list[Finding]:
    """A finding for each equation that the second's names may have no sizes for."""
    equations = list(equations)
    sizes = _Sizes([polynomial(item.first, {}) for item in equations])
    sizes.solve(equations)
    found: list[Finding] = []
    for index, item in enumerate(equations):
        verdict = sizes.verdict(index, item)
        if verdict:
            continue
        fixed = isinstance(item.first, Fixed) and isinstance(item.second, Fixed)
        code: Code = "size" if fixed else "dim"
        texts = f"{item.text} {_show(item.second)}", f"{item.text} {_show(item.first)}"
        found.append(Finding(item.path, code, *texts, item.sure and verdict is False))
    return found


def _show(expr: Expr[Var]) -> str:
    return show_expr(dims.substitute(expr, lambda var: Name(var.name.lstrip("^"))))


class _Sizes(msgspec.Struct):
    """The sizes of the second's names, as polynomials over those of the first.

    Attributes:
      firsts: the sizes of the first, by equation; each is a natural number.
      known: the size of each name.
      guessed: the names whose sizes rest on a choice among several.
      solved: the name that an equation gave a size, by the number of the equation.
    """

    firsts: list[Polynomial]
    known: dict[Var, Polynomial] = msgspec.field(default_factory=dict[Var, Polynomial])
    guessed: set[Var] = msgspec.field(default_factory=set[Var])
    solved: dict[int, Var] = msgspec.field(default_factory=dict[int, Var])

    def solve(self, equations: list[Equation]) -> None:
        """Solves for one name after the other.

        Where every equation left has several open names, those of one are what stands in their
        place in the first: a choice among others.
        """
        left = list(range(len(equations)))
        while left:
            rest = [index for index in left if not self._solve(index, equations[index].second)]
            if len(rest) == len(left):
                beside = (self._beside(equations[index]) for index in rest)
                choice = next(filter(None, beside), None)
                if choice is None:
                    return
                self.known |= choice
                self.guessed |= choice.keys()
            left = rest

    def _solve(self, index: int, second: Expr[Var]) -> bool:
        found = None if isinstance(second, Fixed) else solve(second, self.firsts[index], self.known)
        if found is None:
            return False
        if self.guessed & _names(second):
            self.guessed.add(found[0])
        self.known[found[0]] = found[1]
        self.solved[index] = found[0]
        return True

    def _beside(self, equation: Equation) -> dict[Var, Polynomial] | None:
        return _beside(equation.second, equation.first, self.known)

    def verdict(self, index: int, equation: Equation) -> bool | None:
        """Whether an equation holds whatever the sizes of the first; None if it can't be told."""
        second = equation.second
        if any(True for _ in opened(second, self.known)):
            return None
        chosen = self.guessed & _names(second)
        if polynomial(second, self.known) != self.firsts[index]:
            return None if chosen else False
        solved = {self.solved[index]} if index in self.solved else set[Var]()
        natural = {self._is_natural(self.known[name]) for name in chosen | solved}
        if natural <= {True}:
            return True
        return None if chosen or False not in natural else False

    def _is_natural(self, size: Polynomial) -> bool | None:
        """Whether a size is never below none; None if it can't be told."""
        if size in self.firsts or _is_positive(size):
            return True
        is_free = all(map(_is_positive, self.firsts))  # any sizes of its names are possible
        opaque = any("(" in atom for product in size for atom in product)
        return None if opaque or not is_free else False


def _names(expr: Expr[Var]) -> set[Var]:
    return set(dims.names_of(expr))


def _is_positive(size: Polynomial) -> bool:
    return all(count >= 0 for count in size.values())


def _beside(
    second: Expr[Var], first: Expr[Var], known: Mapping[Var, Polynomial]
) -> dict[Var, Polynomial] | None:
    """What stands in the first in the place of each open name; None where they differ otherwise."""
    size = polynomial(first, {})
    if isinstance(second, Name) and second.name not in known:
        return {second.name: size}
    if not any(True for _ in opened(second, known)):
        return {} if polynomial(second, known) == size else None
    match second, first:
        case (Sum(sign=sign), Sum(sign=other)) if sign == other:
            pass
        case Product(), Product():
            pass
        case (Opaque(symbol=symbol), Opaque(symbol=other)) if symbol == other:
            pass
        case _:
            return None
    left = _beside(second.left, first.left, known)
    right = None if left is None else _beside(second.right, first.right, {**known, **left})
    return None if left is None or right is None else {**left, **right}


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
