"""Binds sizes to names of dims: all names first, then expressions, each with its origin.

The walk observes sizes while it walks; `settle` compares them. A name's size is the one
that most leaves agree on, so that a single wrong leaf is the one that is blamed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import cast

import msgspec
import numpy as np

from .._spec import dim_grammar, dims
from .._spec.dims import Dim, Expr, Name, VariadicDim
from ..report import Path, Size, show_path
from .scopes import Var


class SeenSize(msgspec.Struct, gc=False):  # one per axis; it is part of no cycle
    """One size that was seen where the hint has a name or an expression.

    Attributes:
      expr: the name or expression of the hint, over variables.
      size: the size; for a run of axes a tuple, and `expr` is a name.
      dim: the dim as it is written.
      root: the argument with the leaf.
      path: the path of the leaf.
      axis: the position of the axis; all positions of a run, which need not be neighbours; None
        for a number of entries.
      order: the position of the leaf in the order of the walk.
      note: the reason for the size, if the leaf is one shard.
      depth: the nesting of type arguments around it. A size at a smaller depth wins: moments
        don't outvote their parameters.
      absent: the path of an absent map, as text, whose number of entries is taken for 0; it
        binds no name, and the size that others give must be 0.
    """

    expr: Expr[Var]
    size: Size
    dim: Dim
    root: str
    path: Path
    axis: int | tuple[int, ...] | None
    order: int
    note: str = ""
    depth: int = 0
    absent: str = ""

    @property
    def text(self) -> str:
        """The dim as written, without markers."""
        return f"*{self.dim.name}" if isinstance(self.dim, VariadicDim) else self.dim.text

    @property
    def place(self) -> str:
        """E.g. ``params.up.kernel, axis 1``."""
        where = show_path(self.path, self.root) or "the value"
        axis = self.axis[:1] if isinstance(self.axis, tuple) else (self.axis,)
        return where if axis in ((), (None,)) else f"{where}, axis {axis[0]}"


class Choice(msgspec.Struct):
    """Alternatives of a union that fit but for their dims; the bound names decide."""

    options: list[list[Observation]]


Observation = SeenSize | Choice


class Conflict(msgspec.Struct, frozen=True):
    """A size that disagrees; `expected` names the other size and its place."""

    seen: SeenSize
    expected: str


class Sizes(msgspec.Struct):
    """The sizes of variables, each with where it was seen: None where ``dims=`` gave it.

    Attributes:
      known: of names of one axis.
      runs: of names of a run of axes.
      origins: where each was seen.
      wider: the runs of which only ``#*name`` was seen, which may turn out to be wider.
      absent: maps that are not there, which is right where their length is bound to 0.
      groups: all that were seen of each name, of each batch and of runs of axes by themselves.
      expressions: all that were seen of none.
    """

    known: dict[Var, int] = msgspec.field(default_factory=dict[Var, int])
    runs: dict[Var, tuple[int, ...]] = msgspec.field(default_factory=dict[Var, tuple[int, ...]])
    origins: dict[Var, SeenSize | None] = msgspec.field(
        default_factory=dict[Var, "SeenSize | None"]
    )
    wider: set[Var] = msgspec.field(default_factory=set[Var])
    absent: list[SeenSize] = msgspec.field(default_factory=list[SeenSize])
    groups: list[Mapping[Var, list[SeenSize]]] = msgspec.field(
        default_factory=list[Mapping[Var, "list[SeenSize]"]]
    )
    expressions: list[SeenSize] = msgspec.field(default_factory=list[SeenSize])

    def copy(self) -> Sizes:
        """An independent copy, for a trial."""
        return Sizes(dict(self.known), dict(self.runs), dict(self.origins), set(self.wider))


def settle(
    batches: Iterable[Iterable[Observation]], given: Mapping[Var, int]
) -> tuple[Sizes, list[Conflict], list[SeenSize]]:
    """Binds all names, chooses between alternatives, then solves the expressions.

    Args:
      batches: what was seen; a later batch (a call's result) has no say in the sizes that an
        earlier one (its arguments) has bound.
      given: sizes that are not up for a vote.

    Returns the sizes, what disagrees, and what stays open.
    """
    sizes = Sizes(dict(given), {}, dict.fromkeys(given))
    return sizes, *_settle(batches, sizes, _Decided())


def _settle(
    batches: Iterable[Iterable[Observation]], sizes: Sizes, decided: _Decided
) -> tuple[list[Conflict], list[SeenSize]]:
    """Adds to the sizes; returns what disagrees, and what stays open."""
    conflicts: list[Conflict] = []
    open_: list[SeenSize] = []
    for batch in batches:
        expressions, choices = _bind_names(batch, sizes, conflicts)
        expressions = open_ + expressions
        while choices:
            chosen = _choose(choices[0], sizes, decided)
            more, inner = _bind_names(chosen, sizes, conflicts)
            expressions += more
            choices = inner + choices[1:]
        open_ = _solve(expressions, sizes, conflicts)
    conflicts.sort(key=lambda conflict: conflict.seen.order)
    return conflicts, open_


class _Decided:
    """Decisions between alternatives, which hold wherever their names have the same sizes.

    Alternatives within alternatives would else be decided twice as often at every level.
    """

    __slots__ = ("_names", "agrees", "chosen")

    def __init__(self) -> None:
        self._names: dict[int, frozenset[Var]] = {}
        self.chosen: dict[Hashable, int] = {}
        self.agrees: dict[Hashable, bool] = {}

    def key(self, choice: Choice, sizes: Sizes) -> Hashable:
        """Tells decisions apart: the alternatives, and the sizes of the names in them."""
        names = self._names_of(choice)
        known = frozenset((var, sizes.known[var]) for var in names if var in sizes.known)
        runs = ((var, sizes.runs[var], var in sizes.wider) for var in names if var in sizes.runs)
        return id(choice), known, frozenset(runs)

    def _names_of(self, choice: Choice) -> frozenset[Var]:
        found = self._names.get(id(choice))
        if found is None:
            names: set[Var] = set()
            for item in (item for option in choice.options for item in option):
                if isinstance(item, SeenSize):
                    names.update(dims.names_of(item.expr))
                else:
                    names |= self._names_of(item)
            found = self._names[id(choice)] = frozenset(names)
        return found


def lost(sizes: Sizes) -> list[SeenSize]:
    """The absent maps of which nothing says that they have no entries."""
    return [seen for seen in sizes.absent if dims.evaluate(seen.expr, sizes.known) != 0]


def _choose(choice: Choice, sizes: Sizes, decided: _Decided) -> list[Observation]:
    """The first alternative that agrees with the names bound so far."""
    key = decided.key(choice, sizes)
    if key not in decided.chosen:
        places = (
            index for index, option in enumerate(choice.options) if _fits(option, sizes, decided)
        )
        decided.chosen[key] = next(places, 0)
    return choice.options[decided.chosen[key]]


def _fits(option: list[Observation], sizes: Sizes, decided: _Decided) -> bool:
    conflicts: list[Conflict] = []
    trial = sizes.copy()
    expressions, inner = _bind_names(option, trial, conflicts)
    _solve(expressions, trial, conflicts)
    if conflicts or lost(trial):
        return False
    return all(_agrees(nested, trial, decided) for nested in inner)


def _agrees(choice: Choice, sizes: Sizes, decided: _Decided) -> bool:
    key = decided.key(choice, sizes)
    if key not in decided.agrees:
        option, trial = _choose(choice, sizes, decided), sizes.copy()
        conflicts, _ = _settle([option], trial, decided)
        decided.agrees[key] = not conflicts and not lost(trial)
    return decided.agrees[key]


def _bind_names(
    observations: Iterable[Observation], sizes: Sizes, conflicts: list[Conflict]
) -> tuple[list[SeenSize], list[Choice]]:
    """Binds plain names; returns the observations of expressions, and what is to be chosen from."""
    expressions: list[SeenSize] = []
    choices: list[Choice] = []
    by_name: defaultdict[Var, list[SeenSize]] = defaultdict(list)
    runs: defaultdict[Var, list[SeenSize]] = defaultdict(list)  # ``*d`` and ``d`` are two names
    for seen in observations:
        if not isinstance(seen, SeenSize):
            choices.append(seen)
        elif seen.absent:
            sizes.absent.append(seen)
        elif not isinstance(seen.expr, Name):
            expressions.append(seen)
        elif type(seen.size) is tuple:
            runs[seen.expr.name].append(seen)
        else:
            by_name[seen.expr.name].append(seen)
    for var, group in by_name.items():
        _bind(var, group, sizes.known, sizes, conflicts)
    for var, group in runs.items():
        _widen(var, group, sizes)
        _bind(var, group, sizes.runs, sizes, conflicts)
    sizes.groups += (by_name, runs)
    sizes.expressions += expressions
    return expressions, choices


def _widen(var: Var, group: list[SeenSize], sizes: Sizes) -> None:
    """Gives ``#*name`` the shape that all of its runs broadcast to, as NumPy has it."""
    if var in sizes.runs and var not in sizes.wider:
        return
    before = sizes.runs.get(var, ())
    plain = [seen for seen in group if not seen.dim.broadcast]
    if plain:
        first, _ = _elected(plain)
        sizes.wider.discard(var)
        if var in sizes.runs and _is_within(before, first.size):
            sizes.runs[var], sizes.origins[var] = cast("tuple[int, ...]", first.size), first
        return
    runs = [cast("tuple[int, ...]", seen.size) for seen in group]
    joint = _broadcast((before, *runs))
    if joint is not None and any(one != 1 for one in joint):
        widest = max(group, key=lambda seen: cast("tuple[int, ...]", seen.size) == joint)
        sizes.origins.setdefault(var, widest)
        sizes.runs[var] = joint
        sizes.wider.add(var)


def _broadcast(runs: Iterable[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape to which runs of axes broadcast, None where they do not."""
    try:
        return np.broadcast_shapes(*runs)
    except ValueError:
        return None


def _bind(
    var: Var,
    group: list[SeenSize],
    table: dict[Var, int] | dict[Var, tuple[int, ...]],
    sizes: Sizes,
    conflicts: list[Conflict],
) -> None:
    if var not in table:
        if all(seen.dim.broadcast and _is_one(seen.size) for seen in group):
            return  # as in jaxtyping: what is broadcast says nothing of the size
        first, agree = _elected(group)
        table[var] = first.size  # type: ignore[assignment]
        sizes.origins[var] = first
        if agree:
            return
    size = table[var]
    for seen in group:
        if seen.size != size and not _is_broadcast(seen, size):
            shown = str(size).replace(" ", "")
            conflicts.append(Conflict(seen, f"{var.name}={shown}{_from(sizes.origins[var])}"))


def _is_one(size: Size) -> bool:
    return size == 1 if isinstance(size, int) else all(one == 1 for one in size)


def _elected(group: list[SeenSize]) -> tuple[SeenSize, bool]:
    """The first of those that give a name the size that most of them have; whether all do."""
    first, size = group[0], group[0].size
    for seen in group:
        if seen.size != size or seen.depth < first.depth or first.dim.broadcast:
            break
    else:  # as almost always
        return first, True
    least = min(seen.depth for seen in group)
    group = [seen for seen in group if seen.depth == least]
    voters = [seen for seen in group if not seen.dim.broadcast]
    voters = voters or [seen for seen in group if seen.size != 1] or group
    sizes = [seen.size for seen in voters]
    if len(sizes) < 3:
        return voters[0], False  # of two that differ the first, too
    [(most, _)] = Counter(sizes).most_common(1)
    return voters[sizes.index(most)], False


def _is_broadcast(seen: SeenSize, size: Size) -> bool:
    """Whether what ``#name`` was met by is 1, or a run of axes that broadcasts to a shape."""
    return seen.dim.broadcast and (seen.size == 1 or _is_within(seen.size, size))


def _is_within(run: Size, wide: Size) -> bool:
    """Whether a run of axes broadcasts to a shape."""
    if not isinstance(run, tuple) or not isinstance(wide, tuple) or len(run) > len(wide):
        return False
    pairs = zip(reversed(run), reversed(wide), strict=False)
    return all(one in (1, other) for one, other in pairs)


def _from(origin: SeenSize | None) -> str:
    return " as given by dims=" if origin is None else f" from {origin.place}"


def _solve(expressions: list[SeenSize], sizes: Sizes, conflicts: list[Conflict]) -> list[SeenSize]:
    """Compares or solves expressions until nothing more can be; returns the open ones."""
    waiting = expressions
    while waiting:
        later = [seen for seen in waiting if not _settle_one(seen, sizes, conflicts)]
        if len(later) == len(waiting):
            return later
        waiting = later
    return []


def _settle_one(seen: SeenSize, sizes: Sizes, conflicts: list[Conflict]) -> bool:
    if seen.dim.broadcast and seen.size == 1:
        return True
    size = seen.size
    if isinstance(size, tuple):  # a run of axes can't be an expression
        conflicts.append(Conflict(seen, f"{seen.text} is one size"))
        return True
    value = dims.evaluate(seen.expr, sizes.known)
    if value is None:
        solution = dims.solve(seen.expr, size, sizes.known)
        if solution is None and all(name in sizes.known for name in dims.names_of(seen.expr)):
            conflicts.append(Conflict(seen, _without_result(seen.expr, sizes)))
            return True
        if solution is None:
            return False
        if solution.size is not None:
            sizes.known[solution.name] = solution.size
            sizes.origins[solution.name] = seen
            return True
        conflicts.append(Conflict(seen, f"no {solution.name.name} makes {_show(seen.expr)} that"))
        return True
    if value != size:
        conflicts.append(Conflict(seen, _expected(seen, value, sizes)))
    return True


def _show(expr: Expr[Var]) -> str:
    return dim_grammar.show_expr(dims.substitute(expr, lambda var: Name(var.name)))


def _expected(seen: SeenSize, value: int, sizes: Sizes) -> str:
    expr = seen.expr
    where = _names_with_sizes(expr, sizes)
    if not where:  # the text of one that the arguments of a call say is not its size
        return f"{seen.text}={value}" if "{" in seen.text else str(value)
    return where if isinstance(expr, Name) else f"{_show(expr)}={value} with {where}"


def _without_result(expr: Expr[Var], sizes: Sizes) -> str:
    """Of an expression that is no size: ``d/2`` of an odd d, ``d//0``."""
    where = _names_with_sizes(expr, sizes)
    return f"{_show(expr)} is no size" + (f" with {where}" if where else "")


def _names_with_sizes(expr: Expr[Var], sizes: Sizes) -> str:
    names = list(dict.fromkeys(dims.names_of(expr)))
    return ", ".join(
        f"{var.name}={sizes.known[var]}{_from(sizes.origins[var])}" for var in names[:3]
    )
