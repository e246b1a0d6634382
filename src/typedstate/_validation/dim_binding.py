"""Names of dims get their sizes: all names first, expressions after, each with its origin.

The walk observes sizes while it walks; `settle` compares them. A name's size is the one
that most leaves agree on, so that a single wrong leaf is the one that is blamed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from .._spec import dim_grammar, dims
from .._spec.dims import Dim, Expr, Name, VariadicDim
from ..report import Path, Size, show_path
from .scopes import Var


class SeenSize(msgspec.Struct, gc=False):  # one per axis; it is part of no cycle
    """One size that was seen where the hint has a name or an expression.

    Attributes:
      expr: over variables.
      size: what was seen; a tuple for a run of axes, then `expr` is a name.
      dim: as written.
      root: the argument in which it was seen.
      path: of the leaf.
      axis: where; all axes of a run, which need not be neighbours; None for a number of entries.
      order: of the leaf in the tree.
      note: how the size was seen, where that is of one shard.
      depth: of type arguments in each other: moments have no say beside their parameters.
      absent: the map that is not there, as text, where no entry was seen because of that: it
        binds nothing, and others must have bound its length to 0.
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
    """A size that disagrees: `expected` says with what, and where that was seen."""

    seen: SeenSize
    expected: str


class Sizes(msgspec.Struct):
    """The sizes of variables, each with where it was seen: None where ``dims=`` gave it.

    Attributes:
      known: of names.
      runs: of ``*names``.
      origins: where each was seen.
      absent: maps that are not there, which is right where their length is bound to 0.
    """

    known: dict[Var, int] = msgspec.field(default_factory=dict[Var, int])
    runs: dict[Var, tuple[int, ...]] = msgspec.field(default_factory=dict[Var, tuple[int, ...]])
    origins: dict[Var, SeenSize | None] = msgspec.field(
        default_factory=dict[Var, "SeenSize | None"]
    )
    absent: list[SeenSize] = msgspec.field(default_factory=list[SeenSize])

    def copy(self) -> Sizes:
        """An independent copy, for a trial."""
        return Sizes(dict(self.known), dict(self.runs), dict(self.origins))


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
    conflicts: list[Conflict] = []
    open_: list[SeenSize] = []
    for batch in batches:
        plain, choices = _partition(batch, sizes.absent)
        expressions = open_ + _bind_names(plain, sizes, conflicts)
        while choices:
            chosen = _partition(_choose(choices[0], sizes), sizes.absent)
            expressions += _bind_names(chosen[0], sizes, conflicts)
            choices = chosen[1] + choices[1:]
        open_ = _solve(expressions, sizes, conflicts)
    conflicts.sort(key=lambda conflict: conflict.seen.order)
    return sizes, conflicts, open_


def lost(sizes: Sizes) -> list[SeenSize]:
    """The absent maps of which nothing says that they have no entries."""
    return [seen for seen in sizes.absent if dims.evaluate(seen.expr, sizes.known) != 0]


def _partition(
    observations: Iterable[Observation], absent: list[SeenSize]
) -> tuple[list[SeenSize], list[Choice]]:
    """What has a size and what is to be chosen from; what is not there is added to `absent`."""
    plain: list[SeenSize] = []
    choices: list[Choice] = []
    for item in observations:
        if not isinstance(item, SeenSize):
            choices.append(item)
        elif item.absent:
            absent.append(item)
        else:
            plain.append(item)
    return plain, choices


def _choose(choice: Choice, sizes: Sizes) -> list[Observation]:
    """The first alternative that agrees with the names bound so far."""
    for option in choice.options:
        conflicts: list[Conflict] = []
        trial = sizes.copy()
        plain, inner = _partition(option, trial.absent)
        _solve(_bind_names(plain, trial, conflicts), trial, conflicts)
        if not conflicts and not lost(trial) and all(_agrees(nested, trial) for nested in inner):
            return option
    return choice.options[0]


def _agrees(choice: Choice, sizes: Sizes) -> bool:
    found, conflicts, _ = settle([_choose(choice, sizes)], sizes.known)
    return not conflicts and not lost(found)


def _bind_names(
    observations: Iterable[SeenSize], sizes: Sizes, conflicts: list[Conflict]
) -> list[SeenSize]:
    """Binds what is a bare name; returns what is an expression."""
    expressions: list[SeenSize] = []
    by_name: dict[Var, list[SeenSize]] = {}
    runs: dict[Var, list[SeenSize]] = {}  # ``*d`` and ``d`` are two names
    for seen in observations:
        if isinstance(seen.expr, Name):
            groups = runs if type(seen.size) is tuple else by_name
            groups.setdefault(seen.expr.name, []).append(seen)
        else:
            expressions.append(seen)
    for var, group in by_name.items():
        _bind(var, group, sizes.known, sizes, conflicts, _fits_size)
    for var, group in runs.items():
        _bind(var, group, sizes.runs, sizes, conflicts, _fits_run)
    return expressions


def _bind(
    var: Var,
    group: list[SeenSize],
    table: dict[Var, int] | dict[Var, tuple[int, ...]],
    sizes: Sizes,
    conflicts: list[Conflict],
    fits: Callable[[SeenSize, Size], bool],
) -> None:
    if var not in table:
        if all(seen.dim.broadcast and _is_one(seen.size) for seen in group):
            return  # as in jaxtyping: what is broadcast says nothing of the size
        first = _elected(group)
        table[var] = first.size  # type: ignore[assignment]
        sizes.origins[var] = first
    size = table[var]
    for seen in group:
        if seen.size != size and not fits(seen, size):
            shown = str(size).replace(" ", "")
            conflicts.append(Conflict(seen, f"{var.name}={shown}{_from(sizes.origins[var])}"))


def _is_one(size: Size) -> bool:
    return size == 1 if isinstance(size, int) else all(one == 1 for one in size)


def _elected(group: list[SeenSize]) -> SeenSize:
    """The first of those that give a name the size that most of them have."""
    first = min(seen.depth for seen in group)
    group = [seen for seen in group if seen.depth == first]
    if len({seen.size for seen in group}) == 1:  # as almost always
        return next((seen for seen in group if not seen.dim.broadcast), group[0])
    voters = [seen for seen in group if not seen.dim.broadcast]
    voters = voters or [seen for seen in group if seen.size != 1] or group
    sizes = [seen.size for seen in voters]
    if len(sizes) < 3:
        return voters[0]  # of two that differ the first, too
    [(most, _)] = Counter(sizes).most_common(1)
    return voters[sizes.index(most)]


def _fits_size(seen: SeenSize, size: Size) -> bool:
    return seen.size == size or (seen.dim.broadcast and seen.size == 1)


def _fits_run(seen: SeenSize, size: Size) -> bool:
    if not seen.dim.broadcast or not isinstance(size, tuple) or not isinstance(seen.size, tuple):
        return seen.size == size
    if len(seen.size) > len(size):
        return False
    pairs = zip(reversed(seen.size), reversed(size), strict=False)
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
        if solution is None:
            return False
        if solution.size is not None:
            sizes.known[solution.name] = solution.size
            sizes.origins[solution.name] = seen
            return True
        conflicts.append(Conflict(seen, f"no {solution.name.name} makes {_show(seen.expr)} that"))
        return True
    if value != size:
        conflicts.append(Conflict(seen, _expected(seen.expr, value, sizes)))
    return True


def _show(expr: Expr[Var]) -> str:
    return dim_grammar.show_expr(dims.substitute(expr, lambda var: Name(var.name)))


def _expected(expr: Expr[Var], value: int, sizes: Sizes) -> str:
    names = list(dict.fromkeys(dims.names_of(expr)))
    if not names:
        return str(value)
    where = ", ".join(
        f"{var.name}={sizes.known[var]}{_from(sizes.origins[var])}" for var in names[:3]
    )
    return where if isinstance(expr, Name) else f"{_show(expr)}={value} with {where}"
