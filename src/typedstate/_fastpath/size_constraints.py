"""Equations between the axes of one call, learned from the walk of accepted values.

A value that differs from an accepted one only in sizes of its arrays would be walked in the same
way, with other sizes for the same dims. The only open question is whether these sizes agree.
`SizeConstraints` answer it in generated code, by the rules of `dim_binding.settle`, or leave it to
the walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from .._spec import dims
from .._spec.dims import Expr, Fixed, Name, Opaque, Product, Sum
from .._validation.dim_binding import Choice, Observation, SeenSize
from .._validation.findings import Findings
from .._validation.scopes import Var
from ..report import Size
from .size_code import SOLVE, ArgumentRef, AxisRef, Equation, ShapeSource, SizeConstraints, shape_of

#: A name, or one axis of a run of axes that has a name.
_Axis = Var | tuple[Var, int]


class _Observed(msgspec.Struct):
    """The axes that the walk saw with their sizes, sorted by the equations that they take part in.

    Attributes:
      exact: the axes of each name that is written alone, with their sizes.
      broad: the axes of each ``#name``, with their sizes.
      mixed: the axes with an expression, with whether size 1 fits too, and their sizes.
      fixed_axes: the axes that must keep their size, because a union or a shard decided by it.
      fixed_names: the names of such axes, names in expressions that were not solved, ``#*name``.
    """

    roots: Mapping[str, ArgumentRef]
    shapes: Sequence[Sequence[ShapeSource]]
    exact: dict[_Axis, dict[AxisRef | int, int]] = msgspec.field(default_factory=dict[Any, Any])
    broad: dict[_Axis, dict[AxisRef | int, int]] = msgspec.field(default_factory=dict[Any, Any])
    mixed: dict[tuple[AxisRef | int, Expr[Var], bool], int] = msgspec.field(
        default_factory=dict[Any, int]
    )
    fixed_axes: set[AxisRef | int] = msgspec.field(default_factory=set[Any])
    fixed_names: set[Var] = msgspec.field(default_factory=set[Var])

    def see(self, items: Iterable[Observation]) -> None:
        """Sorts observations."""
        for item in items:
            if isinstance(item, Choice):
                for option in item.options:
                    self._keep(option)
                continue
            if item.note:  # the whole of which a shard is seen
                self._keep([replace(item, note="")])
                continue
            expr, size = item.expr, item.size
            if isinstance(size, tuple):
                self._run(item, size)
            elif not isinstance(expr, Name):
                self.mixed[self._axis(item), expr, item.dim.broadcast] = size
            else:
                names = self.broad if item.dim.broadcast else self.exact
                names.setdefault(expr.name, {})[self._axis(item)] = size

    def size(self, ref: AxisRef | int) -> int:
        """The size of an axis."""
        if isinstance(ref, int):
            return ref
        argument, array, axis = ref
        return shape_of(self.shapes[argument][array])[axis]

    def bound(self) -> dict[_Axis, Expr[AxisRef]]:
        """The axis that gives a name its size."""
        broad = {
            name: _term(_widest(refs))
            for name, refs in self.broad.items()
            if any(size != 1 for size in refs.values())
        }
        return broad | {name: _term(next(iter(refs))) for name, refs in self.exact.items()}

    def _axis(self, seen: SeenSize) -> AxisRef | int:
        if seen.axis is None:
            assert isinstance(seen.size, int)
            return seen.size
        assert isinstance(seen.axis, int)
        return *self._array(seen), seen.axis

    def _array(self, seen: SeenSize) -> tuple[int, int]:
        argument, prefix, places = self.roots[seen.root]
        path = (*prefix, *seen.path) if prefix else seen.path
        return argument, places[path]

    def _run(self, seen: SeenSize, sizes: tuple[int, ...]) -> None:
        """A run of axes is as many names as it has axes."""
        assert isinstance(seen.axis, tuple)
        assert isinstance(seen.expr, Name)
        argument, array = self._array(seen)
        if seen.dim.broadcast:
            self.fixed_names.add(seen.expr.name)
        for index, (axis, size) in enumerate(zip(seen.axis, sizes, strict=True)):
            refs = self.exact.setdefault((seen.expr.name, index), {})
            refs[argument, array, axis] = size

    def _keep(self, items: Iterable[Observation]) -> None:
        """Fixes the axes that no equation describes, e.g. in alternatives that fit but for dims."""
        part = _Observed(self.roots, self.shapes)
        part.see(items)
        self.fixed_names |= part.fixed_names
        for names in (part.exact, part.broad):
            for name, refs in names.items():
                self.fixed_names.add(_name(name))
                self.fixed_axes.update(refs)
        for ref, expr, _ in part.mixed:
            self.fixed_names.update(dims.names_of(expr))
            self.fixed_axes.add(ref)
        self.fixed_axes |= part.fixed_axes


def _name(axis: _Axis) -> Var:
    return axis if isinstance(axis, Var) else axis[0]


def constraints_of(
    findings: Findings,
    names: Mapping[str, Size],
    roots: Mapping[str, ArgumentRef],
    shapes: Sequence[Sequence[ShapeSource]],
) -> SizeConstraints | None:
    """The sizes that calls like an accepted one may have, None where only the walk can tell.

    Args:
      findings: what the walk saw of the accepted call.
      names: the call's names with their sizes.
      roots: where the arrays of each root stand.
      shapes: those of each argument.
    """
    if findings.given or findings.groups:
        return None
    every = (shape_of(source) for argument in shapes for source in argument)
    if not all(type(size) is int for shape in every for size in shape):
        return None  # symbolic ones, of jax.export
    observed, terms = _Observed(roots, shapes), dict[_Axis, Expr[AxisRef]]()
    try:
        for batch in findings.batches():
            observed.see(batch)
            terms = {**observed.bound(), **terms}
    except KeyError:
        return None  # something that generated code reaches by another path
    for refs in observed.broad.values():
        if all(size == 1 for size in refs.values()):  # then nothing binds the name, else they do
            observed.fixed_axes.update(refs)
    for split in findings.part.splits:
        observed.fixed_names.update(dims.names_of(split.expr))
    mixed = {key: set(dims.names_of(key[1])) for key in observed.mixed}
    for own in _solve(mixed, terms):
        observed.fixed_names |= own
    _close(observed.fixed_names, list(mixed.values()))
    sizes = {name: _sizes(name, size, observed.fixed_names, terms) for name, size in names.items()}
    return SizeConstraints(_equations(observed, mixed, terms), sizes, shapes)


def resized(
    findings: Findings,
    roots: Mapping[str, ArgumentRef],
    shapes: Sequence[Sequence[ShapeSource]],
) -> Findings:
    """The findings for values like those of an accepted call, with other shapes."""
    other = findings.after()
    other.part.seen = [_resized(item, roots, shapes) for item in findings.part.seen]
    return other


def _resized(
    item: Observation,
    roots: Mapping[str, ArgumentRef],
    shapes: Sequence[Sequence[ShapeSource]],
) -> Observation:
    if isinstance(item, Choice):
        return Choice([[_resized(seen, roots, shapes) for seen in one] for one in item.options])
    axis = item.axis
    if axis is None or item.note:  # of shards only those of the same sizes are alike
        return item
    argument, prefix, places = roots[item.root]
    shape = shape_of(shapes[argument][places[(*prefix, *item.path)]])
    size = tuple(shape[one] for one in axis) if isinstance(axis, tuple) else shape[axis]
    return replace(item, size=size)


def _widest(refs: Mapping[AxisRef | int, int]) -> AxisRef | int:
    """Of axes that are of one size or 1, one that gives the name its size."""
    return next((ref for ref, size in refs.items() if size != 1), next(iter(refs)))


_Mixed = Mapping[tuple[AxisRef | int, Expr[Var], bool], set[Var]]


def _solve(mixed: _Mixed, terms: dict[_Axis, Expr[AxisRef]]) -> list[set[Var]]:
    """Solves each expression of one open name, as `dim_binding` does; returns what stays open."""
    waiting = [(key, own) for key, own in mixed.items() if not own <= terms.keys()]
    while waiting:
        later: list[tuple[tuple[AxisRef | int, Expr[Var], bool], set[Var]]] = []
        for key, own in waiting:
            (ref, expr, broadcast), open_ = key, own - terms.keys()
            line = _linear(expr, terms) if len(open_) == 1 and not broadcast else None
            if line is not None:
                rest = Sum(_term(ref), line[1], -1)
                terms[open_.pop()] = Opaque(SOLVE, rest, line[0])
            elif open_:
                later.append((key, own))
        if len(later) == len(waiting):
            return [own for _, own in later]
        waiting = later
    return []


def _linear(
    expr: Expr[Var], terms: Mapping[_Axis, Expr[AxisRef]]
) -> tuple[Expr[AxisRef], Expr[AxisRef]] | None:
    """Writes an expression as ``slope * open name + offset``, where it can be."""
    if all(name in terms for name in dims.names_of(expr)):
        return Fixed(0), dims.substitute(expr, lambda name: terms[name])
    match expr:
        case Name():
            return Fixed(1), Fixed(0)
        case Sum(left, right, sign):
            a, b = _linear(left, terms), _linear(right, terms)
            if a is None or b is None:
                return None
            return Sum(a[0], b[0], sign), Sum(a[1], b[1], sign)
        case Product(left, right):
            a, b = _linear(left, terms), _linear(right, terms)
            if a is None or b is None or (a[0] != Fixed(0) and b[0] != Fixed(0)):
                return None
            slope, offset = (a, b) if b[0] == Fixed(0) else (b, a)
            return Product(slope[0], offset[1]), Product(a[1], b[1])
        case _:
            return None


def _equations(
    observed: _Observed, mixed: _Mixed, terms: Mapping[_Axis, Expr[AxisRef]]
) -> Iterable[Equation]:
    fixed_names = observed.fixed_names
    found = {Equation(ref, Fixed(observed.size(ref))) for ref in observed.fixed_axes}
    for table, broadcast in ((observed.exact, False), (observed.broad, True)):
        for name, refs in table.items():
            fixed = _name(name) in fixed_names
            if not fixed and name not in terms:  # `#name` of size 1 only
                continue
            for ref, size in refs.items():
                same = Fixed(size) if fixed else terms[name]
                found.add(Equation(ref, same, broadcast and not fixed))
    for key, own in mixed.items():
        ref, expr, broadcast = key
        if own <= fixed_names:
            found.add(Equation(ref, Fixed(observed.mixed[key])))
        else:
            over = dims.substitute(expr, lambda var: terms[var])
            found.add(Equation(ref, over, broadcast))
    return (item for item in found if item.size != _term(item.axis) and item.arguments())


def _close(fixed_names: set[Var], mixed: list[set[Var]]) -> None:
    """Adds the names that share an expression with one whose size is fixed."""
    size = -1
    while size != len(fixed_names):
        size = len(fixed_names)
        for names in mixed:
            if not fixed_names.isdisjoint(names):
                fixed_names |= names


def _sizes(
    name: str, size: Size, fixed_names: set[Var], terms: Mapping[_Axis, Expr[AxisRef]]
) -> Expr[AxisRef] | tuple[Expr[AxisRef], ...]:
    var = Var(0, name)

    def one(axis: _Axis, learned: int) -> Expr[AxisRef]:
        return Fixed(learned) if var in fixed_names or axis not in terms else terms[axis]

    if isinstance(size, tuple):
        return tuple(one((var, index), item) for index, item in enumerate(size))
    return one(var, size)


def _term(ref: AxisRef | int) -> Expr[AxisRef]:
    return Fixed(ref) if isinstance(ref, int) else Name(ref)
