"""The evidence of one check: what was refused, which sizes were seen, what must be asked again.

The explainer collects it; `Evidence.report` settles the names and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final

from . import dims, skeleton
from .binding import Choice, Conflict, Observation, Origin, Scope, Seen, Sizes, Var, settle
from .dataclass import dataclass
from .dims import Expr
from .law import Law, Measure, Root, law_of, shape_of
from .leaves import Sign
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
      signs: by all of which code sees, without asking, that it is; None where it has to ask.
    """

    path: Path
    test: Callable[[Any], bool]
    signs: tuple[Sign, ...] | None = None


@dataclass(slots=True)
class Reading:
    """How one value of a call was read, where keys, classes, dtypes and sizes are not all.

    Attributes:
      guards: the decisions that a plan must ask again.
      live: where a live module was read in place.
      records: where a dataclass or NamedTuple was read, by which fields.
    """

    guards: list[Guard] = field(default_factory=list[Guard])
    live: set[Path] = field(default_factory=set[Path])
    records: dict[Path, tuple[str, ...]] = field(default_factory=dict[Path, tuple[str, ...]])

    def by_path(self) -> dict[Path, list[Guard]]:
        """The guards of each path."""
        found: dict[Path, list[Guard]] = {}
        for guard in self.guards:
            found.setdefault(guard.path, []).append(guard)
        return found

    def join(self, prefix: Path, part: Reading) -> None:
        """Adds how a part of this value was read, which stands below a prefix."""
        self.guards += [replace(guard, path=(*prefix, *guard.path)) for guard in part.guards]
        self.live |= {(*prefix, *path) for path in part.live}
        self.records |= {(*prefix, *path): fields for path, fields in part.records.items()}


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
    unknown: list[Unknown] = field(default_factory=list[Unknown])

    def copy(self) -> Part:
        """An independent copy."""
        return Part([*self.violations], [*self.seen], [*self.splits], [*self.unknown])


@dataclass(slots=True)
class Evidence:
    """What was seen of the values of one call; it holds sizes and paths but no value.

    Attributes:
      given: sizes of outermost names from ``dims=``.
      readings: how each argument was read.
      part: what the walk, or the alternative that is tried, found so far.
      order: the leaf that is looked at, counted through the call.
      root: the argument that is looked at.
      shards: into how many each axis is split, of an array of which one shard is looked at.
      groups: the first tree of each `Same`.
    """

    given: Mapping[str, int] = field(default_factory=dict[str, int])
    readings: dict[str, Reading] = field(default_factory=dict[str, Reading])
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
            part=self.part.copy(),
            order=self.order,
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
        self.reading().guards.append(guard)

    def reading(self) -> Reading:
        """How the argument is read that is looked at."""
        return self.readings[self.root]

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
        self,
        names: Mapping[str, Size],
        roots: Mapping[str, Root],
        measures: Sequence[Sequence[Measure]],
    ) -> Law | None:
        """The sizes that values like those of this call, which was accepted, may have.

        Args:
          names: the sizes of the call's names.
          roots: where the arrays of each argument stand.
          measures: those of each argument.
        """
        if self.given or self.groups:
            return None
        split = [split.expr for split in self.part.splits]
        return law_of(self._batches(), split, names, roots, measures)

    def resized(self, roots: Mapping[str, Root], measures: Sequence[Sequence[Measure]]) -> Evidence:
        """What would be seen of values like those of this call, with other measures."""
        other = self.after()
        other._closed = self._closed
        other.part.seen = [_resized(item, roots, measures) for item in self.part.seen]
        return other

    def _batches(self) -> tuple[list[Observation], list[Observation]]:
        return self.part.seen[: self._closed], self.part.seen[self._closed :]

    def report(self, hint: str) -> Report:
        """Settles the names and gives all violations in tree order."""
        given = {Var(0, name): size for name, size in self.given.items()}
        sizes, conflicts, open_ = settle(self._batches(), given)
        found = [
            *self.part.violations,
            *(_conflict(conflict) for conflict in conflicts),
            *self._uneven(sizes),
        ]
        found.sort(key=lambda item: item.order)
        violations = tuple(item.violation for item in found)
        names: dict[str, Size] = {var.name: n for var, n in sizes.known.items() if var.scope == 0}
        names |= {var.name: run for var, run in sizes.runs.items() if var.scope == 0}
        unknown = [*self.part.unknown, *map(_open, open_)]
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


def _resized(
    item: Observation, roots: Mapping[str, Root], measures: Sequence[Sequence[Measure]]
) -> Observation:
    if isinstance(item, Choice):
        return Choice([[_resized(seen, roots, measures) for seen in one] for one in item.options])
    axis = item.origin.axis
    if axis is None or item.note:  # of shards only those of the same sizes are alike
        return item
    argument, prefix, places = roots[item.origin.root]
    shape = shape_of(measures[argument][places[(*prefix, *item.origin.path)]])
    size = shape[axis : axis + len(item.size)] if isinstance(item.size, tuple) else shape[axis]
    return replace(item, size=size)


def _open(seen: Seen) -> Unknown:
    where = show_path(seen.origin.path, seen.origin.root)
    return Unknown(where, f"{seen.text} of size {seen.size} has open names")
