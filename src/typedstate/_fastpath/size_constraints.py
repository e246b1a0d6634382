"""Which sizes go together: what the explainer saw of one call, as equations between axes.

Where values are like accepted ones but for the sizes of their arrays, the explainer would walk
them the same way and see the same dims with other sizes. Whether those agree is all that is
left to decide: a `Law` decides it by the rules of `binding.settle`, in generated code, or leaves
it to the explainer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from .._spec import dims
from .._spec.dims import Expr, Fixed, Name, Opaque, Product, Sum
from .._validation.dim_binding import Choice, Observation, SeenSize, Var
from .._validation.findings import Findings
from ..report import Size
from .size_code import SOLVE, ArgumentRef, AxisRef, Equation, ShapeSource, SizeConstraints, shape_of

#: A name, or one axis of a run of axes that has a name.
_Axis = Var | tuple[Var, int]


class _Observed(msgspec.Struct):
    """What was seen, sorted by what an equation can say of it; each axis with its size.

    Attributes:
      exact: where a name stands by itself.
      broad: the same of ``#name``.
      mixed: expressions; whether size 1 fits too.
      hard: axes that stay as they were: in unions, of shards.
      pinned: names that do: of such axes, ``#*name``, never solved.
    """

    roots: Mapping[str, ArgumentRef]
    measures: Sequence[Sequence[ShapeSource]]
    exact: dict[_Axis, dict[AxisRef | int, int]] = msgspec.field(default_factory=dict[Any, Any])
    broad: dict[_Axis, dict[AxisRef | int, int]] = msgspec.field(default_factory=dict[Any, Any])
    mixed: dict[tuple[AxisRef | int, Expr[Var], bool], int] = msgspec.field(
        default_factory=dict[Any, int]
    )
    hard: set[AxisRef | int] = msgspec.field(default_factory=set[Any])
    pinned: set[Var] = msgspec.field(default_factory=set[Var])

    def see(self, items: Iterable[Observation]) -> None:
        """Sorts what was seen."""
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
                self.mixed[self._slot(item), expr, item.dim.broadcast] = size
            else:
                names = self.broad if item.dim.broadcast else self.exact
                names.setdefault(expr.name, {})[self._slot(item)] = size

    def size(self, slot: AxisRef | int) -> int:
        """What was seen of an axis."""
        if isinstance(slot, int):
            return slot
        argument, measure, axis = slot
        return shape_of(self.measures[argument][measure])[axis]

    def bound(self) -> dict[_Axis, Expr[AxisRef]]:
        """Which axis gives a name its size."""
        broad = {
            name: _term(_widest(slots))
            for name, slots in self.broad.items()
            if any(size != 1 for size in slots.values())
        }
        return broad | {name: _term(next(iter(slots))) for name, slots in self.exact.items()}

    def _slot(self, seen: SeenSize) -> AxisRef | int:
        if seen.axis is None:
            assert isinstance(seen.size, int)
            return seen.size
        assert isinstance(seen.axis, int)
        return *self._measure(seen), seen.axis

    def _measure(self, seen: SeenSize) -> tuple[int, int]:
        argument, prefix, places = self.roots[seen.root]
        path = (*prefix, *seen.path) if prefix else seen.path
        return argument, places[path]

    def _run(self, seen: SeenSize, sizes: tuple[int, ...]) -> None:
        """A run of axes is as many names as it has axes."""
        assert isinstance(seen.axis, tuple)
        assert isinstance(seen.expr, Name)
        argument, measure = self._measure(seen)
        if seen.dim.broadcast:
            self.pinned.add(seen.expr.name)
        for index, (axis, size) in enumerate(zip(seen.axis, sizes, strict=True)):
            slots = self.exact.setdefault((seen.expr.name, index), {})
            slots[argument, measure, axis] = size

    def _keep(self, items: Iterable[Observation]) -> None:
        """What equations can't say must stay as it was, e.g. alternatives that fit but for dims."""
        part = _Observed(self.roots, self.measures)
        part.see(items)
        self.pinned |= part.pinned
        for names in (part.exact, part.broad):
            for name, slots in names.items():
                self.pinned.add(_name(name))
                self.hard.update(slots)
        for slot, expr, _ in part.mixed:
            self.pinned.update(dims.names_of(expr))
            self.hard.add(slot)
        self.hard |= part.hard


def _name(axis: _Axis) -> Var:
    return axis if isinstance(axis, Var) else axis[0]


def constraints_of(
    findings: Findings,
    names: Mapping[str, Size],
    roots: Mapping[str, ArgumentRef],
    measures: Sequence[Sequence[ShapeSource]],
) -> SizeConstraints | None:
    """The sizes that calls like an accepted one may have, None where only the walk can tell.

    Args:
      findings: what the walk saw of the accepted call.
      names: the call's names with their sizes.
      roots: where the arrays of each root stand.
      measures: those of each argument.
    """
    if findings.given or findings.groups:
        return None
    shapes = (shape_of(measure) for argument in measures for measure in argument)
    if not all(type(size) is int for shape in shapes for size in shape):
        return None  # symbolic ones, of jax.export
    facts, terms = _Observed(roots, measures), dict[_Axis, Expr[AxisRef]]()
    try:
        for batch in findings.batches():
            facts.see(batch)
            terms = {**facts.bound(), **terms}
    except KeyError:
        return None  # something that generated code reaches by another path
    for slots in facts.broad.values():
        if all(size == 1 for size in slots.values()):  # then nothing binds the name, else they do
            facts.hard.update(slots)
    for split in findings.part.splits:
        facts.pinned.update(dims.names_of(split.expr))
    mixed = {key: set(dims.names_of(key[1])) for key in facts.mixed}
    for own in _solve(mixed, terms):
        facts.pinned |= own
    _close(facts.pinned, list(mixed.values()))
    sizes = {name: _sizes(name, size, facts.pinned, terms) for name, size in names.items()}
    return SizeConstraints(_relations(facts, mixed, terms), sizes, measures)


def resized(
    findings: Findings,
    roots: Mapping[str, ArgumentRef],
    measures: Sequence[Sequence[ShapeSource]],
) -> Findings:
    """What the walk would see of values like those of an accepted call, with other measures."""
    other = findings.after()
    other.part.seen = [_resized(item, roots, measures) for item in findings.part.seen]
    return other


def _resized(
    item: Observation,
    roots: Mapping[str, ArgumentRef],
    measures: Sequence[Sequence[ShapeSource]],
) -> Observation:
    if isinstance(item, Choice):
        return Choice([[_resized(seen, roots, measures) for seen in one] for one in item.options])
    axis = item.axis
    if axis is None or item.note:  # of shards only those of the same sizes are alike
        return item
    argument, prefix, places = roots[item.root]
    shape = shape_of(measures[argument][places[(*prefix, *item.path)]])
    size = tuple(shape[one] for one in axis) if isinstance(axis, tuple) else shape[axis]
    return replace(item, size=size)


def _widest(slots: Mapping[AxisRef | int, int]) -> AxisRef | int:
    """Of axes that are of one size or 1, one that gives the name its size."""
    return next((slot for slot, size in slots.items() if size != 1), next(iter(slots)))


_Mixed = Mapping[tuple[AxisRef | int, Expr[Var], bool], set[Var]]


def _solve(mixed: _Mixed, terms: dict[_Axis, Expr[AxisRef]]) -> list[set[Var]]:
    """Solves each expression of one open name, as `binding` does; returns what stays open."""
    waiting = [(key, own) for key, own in mixed.items() if not own <= terms.keys()]
    while waiting:
        later: list[tuple[tuple[AxisRef | int, Expr[Var], bool], set[Var]]] = []
        for key, own in waiting:
            (slot, expr, broadcast), open_ = key, own - terms.keys()
            line = _linear(expr, terms) if len(open_) == 1 and not broadcast else None
            if line is not None:
                rest = Sum(_term(slot), line[1], -1)
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


def _relations(
    facts: _Observed, mixed: _Mixed, terms: Mapping[_Axis, Expr[AxisRef]]
) -> Iterable[Equation]:
    pinned = facts.pinned
    found = {Equation(slot, Fixed(facts.size(slot))) for slot in facts.hard}
    for table, broadcast in ((facts.exact, False), (facts.broad, True)):
        for name, slots in table.items():
            fixed = _name(name) in pinned
            if not fixed and name not in terms:  # `#name` of size 1 only
                continue
            for slot, size in slots.items():
                same = Fixed(size) if fixed else terms[name]
                found.add(Equation(slot, same, broadcast and not fixed))
    for key, own in mixed.items():
        slot, expr, broadcast = key
        if own <= pinned:
            found.add(Equation(slot, Fixed(facts.mixed[key])))
        else:
            over = dims.substitute(expr, lambda var: terms[var])
            found.add(Equation(slot, over, broadcast))
    return (item for item in found if item.size != _term(item.slot) and item.arguments())


def _close(pinned: set[Var], mixed: list[set[Var]]) -> None:
    """Adds the names that share an expression with one whose size is fixed."""
    size = -1
    while size != len(pinned):
        size = len(pinned)
        for names in mixed:
            if not pinned.isdisjoint(names):
                pinned |= names


def _sizes(
    name: str, size: Size, pinned: set[Var], terms: Mapping[_Axis, Expr[AxisRef]]
) -> Expr[AxisRef] | tuple[Expr[AxisRef], ...]:
    var = Var(0, name)

    def one(axis: _Axis, learned: int) -> Expr[AxisRef]:
        return Fixed(learned) if var in pinned or axis not in terms else terms[axis]

    if isinstance(size, tuple):
        return tuple(one((var, index), item) for index, item in enumerate(size))
    return one(var, size)


def _term(slot: AxisRef | int) -> Expr[AxisRef]:
    return Fixed(slot) if isinstance(slot, int) else Name(slot)
