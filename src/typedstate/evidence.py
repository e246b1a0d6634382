"""The evidence of one check: what was refused, which sizes were seen, what must be asked again.

The explainer collects it; `Evidence.report` settles the names and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from . import dims, skeleton
from .binding import Conflict, Observation, Origin, Scope, Seen, Sizes, Var, settle
from .dims import Expr
from .law import Law, law_of
from .patterns import common_cause
from .report import Code, Report, Size, Unknown, Violation, show_path
from .spec import Path

_MAX_NOTES: Final = 100


@dataclass(frozen=True, slots=True)
class Guard:
    """A decision that read more than keys, classes, dtypes and shapes.

    Attributes:
      path: of the leaf that was asked, from the value's root.
      test: asks again; True where the answer is the same.
    """

    path: Path
    test: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Split:
    """An axis that a mesh splits: its size is looked at once the names are settled.

    Attributes:
      expr: its size, over variables.
      parts: into how many it is split.
      text: by which mesh axes.
      origin: of the partition, with the axis.
      order: of the leaf in the tree.
    """

    expr: Expr[Var]
    parts: int
    text: str
    origin: Origin
    order: int


@dataclass(slots=True)
class Found:
    """A violation, and the leaf of the tree at which it was found."""

    order: int
    violation: Violation


@dataclass(slots=True)
class Part:
    """What one walk, or one alternative of a union, found."""

    violations: list[Found] = field(default_factory=list[Found])
    seen: list[Observation] = field(default_factory=list[Observation])
    splits: list[Split] = field(default_factory=list[Split])

    def copy(self) -> Part:
        """An independent copy."""
        return Part(list(self.violations), list(self.seen), list(self.splits))


@dataclass(slots=True)
class Evidence:
    """What was seen of the values of one call; it holds sizes and paths but no value.

    Attributes:
      given: sizes of outermost names from ``dims=``.
      guards: per root, the decisions that need asking again.
      live: per root, where a live module was read in place.
      repeatable: whether equal keys, classes, dtypes and shapes mean an equal verdict.
      unknown: what can't be seen.
      part: what the walk, or the alternative that is tried, found so far.
      order: the leaf that is looked at, counted through the call.
      root: the argument that is looked at.
      shards: into how many each axis is split, of an array of which one shard is looked at.
      groups: the first tree of each `Same`.
    """

    given: Mapping[str, int] = field(default_factory=dict[str, int])
    guards: dict[str, list[Guard]] = field(default_factory=dict[str, list[Guard]])
    live: dict[str, set[Path]] = field(default_factory=dict[str, set[Path]])
    repeatable: bool = True
    unknown: list[Unknown] = field(default_factory=list[Unknown])
    part: Part = field(default_factory=Part)
    order: int = 0
    root: str = ""
    shards: tuple[int, ...] | None = None
    groups: dict[str, tuple[str, skeleton.Skeleton]] = field(
        default_factory=dict[str, tuple[str, skeleton.Skeleton]]
    )
    _scopes: int = 0
    _apart: dict[str, Scope] = field(default_factory=dict[str, Scope])
    _closed: int = 0

    def after(self) -> Evidence:
        """The same call, for its result, which has no say in what the arguments have bound."""
        return Evidence(
            self.given,
            {root: list(found) for root, found in self.guards.items()},
            dict(self.live),
            self.repeatable,
            list(self.unknown),
            self.part.copy(),
            self.order,
            groups=dict(self.groups),
            _scopes=self._scopes,
            _apart=dict(self._apart),
            _closed=len(self.part.seen),
        )

    def add(self, path: Path, code: Code, expected: str, actual: str, note: str = "") -> None:
        """Records a violation."""
        violation = Violation(show_path(path, self.root), code, expected, actual, note, path)
        self.part.violations.append(Found(self.order, violation))

    def guard(self, guard: Guard) -> None:
        """Records a decision that a plan must ask again."""
        self.guards[self.root].append(guard)

    def worth_a_note(self) -> bool:
        """Whether the next violation will be read: looking for its cause takes time."""
        return len(self.part.violations) < _MAX_NOTES

    def new_scope(self) -> Scope:
        """The names of one more occurrence of a schema."""
        self._scopes += 1
        return Scope(self._scopes, {})

    def apart_scope(self, name: str) -> Scope:
        """The names of all schemas that are `Scoped` by this name."""
        if name not in self._apart:
            self._apart[name] = self.new_scope()
        return self._apart[name]

    def law(
        self, root: str, places: Mapping[Path, str | None], arrays: Mapping[str, Any]
    ) -> Law | None:
        """The sizes that the value of a call may have, where no other shares its names."""
        if list(self.guards) != [root] or self._closed or self.given or self.groups:
            return None
        split = [split.expr for split in self.part.splits]
        return law_of(self.part.seen, split, places, arrays)

    def report(self, hint: str) -> Report:
        """Settles the names and gives all violations in tree order."""
        given = {Var(0, name): size for name, size in self.given.items()}
        early, late = self.part.seen[: self._closed], self.part.seen[self._closed :]
        sizes, conflicts, open_ = settle((early, late), given)
        found = [
            *self.part.violations,
            *(_conflict(conflict) for conflict in conflicts),
            *self._uneven(sizes),
        ]
        found.sort(key=lambda item: item.order)
        violations = tuple(item.violation for item in found)
        names: dict[str, Size] = {var.name: n for var, n in sizes.known.items() if var.scope == 0}
        names |= {var.name: run for var, run in sizes.runs.items() if var.scope == 0}
        unknown = [*self.unknown, *map(_open, open_)]
        return Report(hint, violations, names, tuple(unknown), common_cause(violations))

    def _uneven(self, sizes: Sizes) -> Iterator[Found]:
        """The axes whose size the mesh axes that split it do not divide."""
        for split in self.part.splits:
            size = dims.evaluate(split.expr, sizes.known)
            if size is None or size % split.parts == 0:
                continue
            keys, axis = split.origin.path, split.origin.axis
            expected, actual = f"axis {axis} divisible by {split.text}", f"size {size}"
            where = show_path(keys, split.origin.root)
            violation = Violation(where, "sharding", expected, actual, keys=keys)
            yield Found(split.order, violation)


def _conflict(conflict: Conflict) -> Found:
    seen, origin = conflict.seen, conflict.seen.origin
    shown = str(seen.size).replace(" ", "")
    where = show_path(origin.path, origin.root)
    if any(True for _ in dims.names_of(seen.expr)):
        code: Code = "dim"
        expected, actual = conflict.expected, f"{seen.text} is {shown}"
    else:
        code = "size"
        axis = "" if origin.axis is None else f" on axis {origin.axis}"
        expected, actual = f"{conflict.expected}{axis}", shown
    return Found(seen.order, Violation(where, code, expected, actual, seen.note, origin.path))


def _open(seen: Seen) -> Unknown:
    where = show_path(seen.origin.path, seen.origin.root)
    return Unknown(where, f"{seen.text} of size {seen.size} has open names")
