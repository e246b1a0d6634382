"""Which sizes go together: what the explainer saw of one call, as equations between axes.

Where values are like accepted ones but for the sizes of their arrays, the explainer would walk
them the same way and see the same dims with other sizes. Whether those agree is all that is
left to decide: a `Law` decides it by the rules of `binding.settle`, in generated code, or leaves
it to the explainer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, NamedTuple, cast

from . import dims
from .binding import Choice, Observation, Seen, Var
from .dataclass import dataclass
from .dims import Expr, Name, Other, Product, Size as Fixed, Sum
from .report import Size
from .spec import Path

_MAX_KNOWN: Final = 256
#: An operation that no hint can write: the natural number that solves an equation.
_SOLVE: Final = "solve"

#: What is known of an array's sizes: its abstract value, or its shape where abstract values
#: that are equal are not one object.
Measure = Any
#: One axis of an array: the number of the argument, of its measure there, of the axis.
Slot = tuple[int, int, int]


class Root(NamedTuple):
    """Where the explainer's paths of one root lead: below `prefix`, in an argument."""

    argument: int
    prefix: Path
    places: Mapping[Path, int]


@dataclass(frozen=True, slots=True)
class Relation:
    """An axis, or a fixed size, with the expression that it has to equal.

    Attributes:
      slot: the axis.
      size: over other axes.
      broadcast: size 1 fits too.
    """

    slot: Slot | int
    size: Expr[Slot]
    broadcast: bool = False

    def arguments(self) -> set[int]:
        """Whose axes it speaks of."""
        own = set[int]() if isinstance(self.slot, int) else {self.slot[0]}
        return own | {argument for argument, _, _ in dims.names_of(self.size)}


def shape_of(measure: Measure) -> tuple[int, ...]:
    """The shape that a measure says."""
    return cast(tuple[int, ...], measure if type(measure) is tuple else measure.shape)


class Law:
    """The sizes that the arrays of one call may have.

    Attributes:
      relations: what has to hold.
      sizes: of the call's names, over axes.
      source: the generated code; empty as long as no other sizes came.
    """

    __slots__ = (
        *("_across", "_alone", "_known", "_learned", "_named"),
        *("relations", "sizes", "source"),
    )

    def __init__(
        self,
        relations: Iterable[Relation],
        sizes: Mapping[str, Expr[Slot] | tuple[Expr[Slot], ...]],
        learned: Sequence[Sequence[Measure]],
    ) -> None:
        """Keeps the relations; code is generated once they are asked for."""
        self.relations = frozenset(relations)
        self.sizes = sizes
        self.source = ""
        self._learned = learned
        self._known: list[set[Any]] = [set() for _ in learned]
        self._alone: list[Callable[..., bool]] = []
        self._across: Callable[..., bool] = _ungenerated
        self._named: Callable[..., dict[str, Size]] = _ungenerated

    def allows(self, plans: Sequence[Any]) -> bool:
        """Whether the explainer would accept the same structures with these plans' measures."""
        if not self.source:
            self._generate()
        try:
            for plan, alone, known in zip(plans, self._alone, self._known, strict=True):
                if plan not in known:
                    if not alone(*plan.measures):
                        return False
                    if len(known) >= _MAX_KNOWN:
                        known.clear()
                    known.add(plan)
            return bool(self._across(*plans))
        except Exception:  # another rank, no result of a division: the explainer decides
            return False

    def named(self, plans: Sequence[Any]) -> dict[str, Size]:
        """The sizes of the call's names, where a call with these plans is allowed."""
        return self._named(*plans)

    def _generate(self) -> None:
        count = len(self._learned)
        names: dict[str, Any] = {"power": _power, "solved": _solved}
        own: list[list[str]] = [[] for _ in range(count)]
        across: list[str] = []
        for relation in sorted(self.relations, key=repr):
            arguments = relation.arguments()
            if len(arguments) > 1:
                across.append(f"if not ({_condition(relation, self._far)}): return False")
            else:
                (argument,) = arguments
                condition = _condition(relation, _near)
                own[argument].append(f"if not ({condition}): return False")
        given = ", ".join(f"p{i}" for i in range(count))
        functions = [_alone(i, item, own[i], names) for i, item in enumerate(self._learned)]
        functions.append(_function("across", given, [*across, "return True"]))
        functions.append(_function("named", given, [f"return {{{self._dims()}}}"]))
        self.source = "\n".join(functions)
        exec(self.source, names)
        self._alone = [names[f"alone{i}"] for i in range(count)]
        self._across, self._named = names["across"], names["named"]

    def _dims(self) -> str:
        items: list[str] = []
        for name, size in self.sizes.items():
            parts = size if isinstance(size, tuple) else (size,)
            texts = [_expression(part, self._far) for part in parts]
            shown = f"({''.join(f'{text}, ' for text in texts)})" if size is parts else texts[0]
            items.append(f"{name!r}: {shown}")
        return ", ".join(items)

    def _far(self, slot: Slot) -> str:
        argument, measure, axis = slot
        shape = "" if type(self._learned[argument][measure]) is tuple else ".shape"
        return f"p{argument}.measures[{measure}]{shape}[{axis}]"


def _ungenerated(*_: Any) -> Any:
    raise AssertionError("a law is asked before it tells sizes")


def _near(slot: Slot) -> str:
    return f"s{slot[1]}_{slot[2]}"


def _alone(
    argument: int, learned: Sequence[Measure], conditions: list[str], names: dict[str, Any]
) -> str:
    """Says of one argument whether its arrays have the dtypes, ranks and sizes by themselves."""
    lines: list[str] = []
    for index, measure in enumerate(learned):
        shape = f"a{index}"
        if type(measure) is not tuple:
            kind, dtype = f"t{argument}_{index}", f"d{argument}_{index}"
            names[kind], names[dtype] = type(measure), measure.dtype
            test = f"type({shape}) is not {kind} or {shape}.dtype != {dtype}"
            lines.append(f"if {test}: return False")
            shape += ".shape"
        sizes = [f"s{index}_{axis}" for axis in range(len(shape_of(measure)))]
        lines.append(f"[{', '.join(sizes)}] = {shape}")
        if sizes:
            ints = " is ".join(f"type({size})" for size in sizes)
            lines.append(f"if not (int is {ints}): return False")  # symbolic ones, of jax.export
    parameters = ", ".join(f"a{i}" for i in range(len(learned)))
    return _function(f"alone{argument}", parameters, [*lines, *conditions, "return True"])


def _function(name: str, parameters: str, lines: list[str]) -> str:
    return "\n".join([f"def {name}({parameters}):", *(f"    {line}" for line in lines), ""])


def _condition(relation: Relation, text: Callable[[Slot], str]) -> str:
    left = str(relation.slot) if isinstance(relation.slot, int) else text(relation.slot)
    same = f"{left} == {_expression(relation.size, text)}"
    return f"{left} == 1 or {same}" if relation.broadcast else same


def _expression(expr: Expr[Slot], text: Callable[[Slot], str]) -> str:
    match expr:
        case Fixed(value):
            return f"({value})" if value < 0 else str(value)
        case Name(slot):
            return text(slot)
        case _:
            left, right = _expression(expr.left, text), _expression(expr.right, text)
    match expr:
        case Sum(sign=sign):
            return f"({left} {'+' if sign > 0 else '-'} {right})"
        case Product():
            return f"({left} * {right})"
        case Other("**"):
            return f"power({left}, {right})"
        case Other(symbol) if symbol == _SOLVE:
            return f"solved({left}, {right})"
        case Other(symbol):
            return f"({left} {symbol} {right})"


def _power(base: int, exponent: int) -> int:
    if not 0 <= exponent <= dims.MAX_POWER:
        raise ValueError  # `dims.evaluate` leaves it open
    return int(base**exponent)


def _solved(size: int, slope: int) -> int:
    quotient, remainder = divmod(size, slope)
    if remainder or quotient < 0:
        raise ValueError
    return quotient


# -- From what was seen to a law ----------------------------------------------------------------

#: A name, or one axis of a run of axes that has a name.
_Axis = Var | tuple[Var, int]


@dataclass(slots=True)
class _Facts:
    """What was seen, sorted by what an equation can say of it; each axis with its size.

    Attributes:
      exact: where a name stands by itself.
      broad: the same of ``#name``.
      mixed: expressions; whether size 1 fits too.
      hard: axes that stay as they were: in unions, of shards.
      pinned: names that do: of such axes, ``#*name``, never solved.
    """

    roots: Mapping[str, Root]
    measures: Sequence[Sequence[Measure]]
    exact: dict[_Axis, dict[Slot | int, int]] = field(default_factory=dict[Any, Any])
    broad: dict[_Axis, dict[Slot | int, int]] = field(default_factory=dict[Any, Any])
    mixed: dict[tuple[Slot | int, Expr[Var], bool], int] = field(default_factory=dict[Any, int])
    hard: set[Slot | int] = field(default_factory=set[Any])
    pinned: set[Var] = field(default_factory=set[Var])

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
                self.mixed[self._slot(item), expr, item.broadcast] = size
            else:
                names = self.broad if item.broadcast else self.exact
                names.setdefault(expr.name, {})[self._slot(item)] = size

    def size(self, slot: Slot | int) -> int:
        """What was seen of an axis."""
        if isinstance(slot, int):
            return slot
        argument, measure, axis = slot
        return shape_of(self.measures[argument][measure])[axis]

    def bound(self) -> dict[_Axis, Expr[Slot]]:
        """Which axis gives a name its size."""
        broad = {name: _term(_widest(slots)) for name, slots in self.broad.items()}
        return broad | {name: _term(next(iter(slots))) for name, slots in self.exact.items()}

    def _slot(self, seen: Seen) -> Slot | int:
        origin = seen.origin
        if origin.axis is None:
            assert isinstance(seen.size, int)
            return seen.size
        argument, prefix, places = self.roots[origin.root]
        path = (*prefix, *origin.path) if prefix else origin.path
        return argument, places[path], origin.axis

    def _run(self, seen: Seen, sizes: tuple[int, ...]) -> None:
        """A run of axes is as many names as it has axes."""
        slot = self._slot(seen)
        assert isinstance(slot, tuple)
        assert isinstance(seen.expr, Name)
        argument, measure, first = slot
        if seen.broadcast:
            self.pinned.add(seen.expr.name)
        for index, size in enumerate(sizes):
            axis = (argument, measure, first + index)
            self.exact.setdefault((seen.expr.name, index), {})[axis] = size

    def _keep(self, items: Iterable[Observation]) -> None:
        """What equations can't say must stay as it was, e.g. alternatives that fit but for dims."""
        part = _Facts(self.roots, self.measures)
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


def law_of(
    batches: tuple[Sequence[Observation], Sequence[Observation]],
    split: Iterable[Expr[Var]],
    names: Mapping[str, Size],
    roots: Mapping[str, Root],
    measures: Sequence[Sequence[Measure]],
) -> Law | None:
    """The law of an accepted call, None where only the explainer can tell.

    Args:
      batches: what the explainer saw of the sizes of its arguments, then of its result.
      split: sizes that a mesh has to divide.
      names: the call's names with their sizes.
      roots: where the arrays of each root stand.
      measures: those of each argument.
    """
    shapes = (shape_of(measure) for argument in measures for measure in argument)
    if not all(type(size) is int for shape in shapes for size in shape):
        return None  # symbolic ones, of jax.export
    facts, terms = _Facts(roots, measures), dict[_Axis, Expr[Slot]]()
    try:
        for batch in batches:
            facts.see(batch)
            terms = {**facts.bound(), **terms}
    except KeyError:
        return None  # something that generated code reaches by another path
    for expr in split:
        facts.pinned.update(dims.names_of(expr))
    mixed = {key: set(dims.names_of(key[1])) for key in facts.mixed}
    for own in _solve(mixed, terms):
        facts.pinned |= own
    _close(facts.pinned, list(mixed.values()))
    sizes = {name: _sizes(name, size, facts.pinned, terms) for name, size in names.items()}
    return Law(_relations(facts, mixed, terms), sizes, measures)


def _widest(slots: Mapping[Slot | int, int]) -> Slot | int:
    """Of axes that are of one size or 1, one that gives the name its size."""
    return next((slot for slot, size in slots.items() if size != 1), next(iter(slots)))


_Mixed = Mapping[tuple[Slot | int, Expr[Var], bool], set[Var]]


def _solve(mixed: _Mixed, terms: dict[_Axis, Expr[Slot]]) -> list[set[Var]]:
    """Solves each expression of one open name, as `binding` does; returns what stays open."""
    waiting = [(key, own) for key, own in mixed.items() if not own <= terms.keys()]
    while waiting:
        later: list[tuple[tuple[Slot | int, Expr[Var], bool], set[Var]]] = []
        for key, own in waiting:
            (slot, expr, broadcast), open_ = key, own - terms.keys()
            line = _linear(expr, terms) if len(open_) == 1 and not broadcast else None
            if line is not None:
                rest = Sum(_term(slot), line[1], -1)
                terms[open_.pop()] = Other(_SOLVE, rest, line[0])
            elif open_:
                later.append((key, own))
        if len(later) == len(waiting):
            return [own for _, own in later]
        waiting = later
    return []


def _linear(
    expr: Expr[Var], terms: Mapping[_Axis, Expr[Slot]]
) -> tuple[Expr[Slot], Expr[Slot]] | None:
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
    facts: _Facts, mixed: _Mixed, terms: Mapping[_Axis, Expr[Slot]]
) -> Iterable[Relation]:
    pinned = facts.pinned
    found = {Relation(slot, Fixed(facts.size(slot))) for slot in facts.hard}
    for table, broadcast in ((facts.exact, False), (facts.broad, True)):
        for name, slots in table.items():
            fixed = _name(name) in pinned
            for slot, size in slots.items():
                same = Fixed(size) if fixed else terms[name]
                found.add(Relation(slot, same, broadcast and not fixed))
    for key, own in mixed.items():
        slot, expr, broadcast = key
        if own <= pinned:
            found.add(Relation(slot, Fixed(facts.mixed[key])))
        else:
            over = dims.substitute(expr, lambda var: terms[var])
            found.add(Relation(slot, over, broadcast))
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
    name: str, size: Size, pinned: set[Var], terms: Mapping[_Axis, Expr[Slot]]
) -> Expr[Slot] | tuple[Expr[Slot], ...]:
    var = Var(0, name)

    def one(axis: _Axis, learned: int) -> Expr[Slot]:
        return Fixed(learned) if var in pinned or axis not in terms else terms[axis]

    if isinstance(size, tuple):
        return tuple(one((var, index), item) for index, item in enumerate(size))
    return one(var, size)


def _term(slot: Slot | int) -> Expr[Slot]:
    return Fixed(slot) if isinstance(slot, int) else Name(slot)
