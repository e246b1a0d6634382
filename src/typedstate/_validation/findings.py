"""The evidence of one check: what was refused, which sizes were seen, what must be asked again.

The explainer collects it; `Evidence.report` settles the names and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from .._fastpath.size_code import ArgumentRef, ShapeSource, SizeConstraints, shape_of
from .._fastpath.size_constraints import constraints_of
from .._spec import dims
from .._spec.dims import Expr
from ..report import Code, Path, Report, Size, Unknown, Violation, show_path
from . import tree_signature
from .dim_binding import Choice, Conflict, Observation, Origin, Scope, SeenSize, Sizes, Var, settle
from .suggestions import common_cause
from .trace import Guard, Trace

_MAX_NOTES: Final = 100


class Split(msgspec.Struct, frozen=True):
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


class Finding(msgspec.Struct):
    """A violation, and the leaf of the tree at which it was found."""

    order: int
    violation: Violation


class Branch(msgspec.Struct):
    """What one walk, or one alternative of a union, found."""

    violations: list[Finding] = msgspec.field(default_factory=list[Finding])
    seen: list[Observation] = msgspec.field(default_factory=list[Observation])
    splits: list[Split] = msgspec.field(default_factory=list[Split])
    unknown: list[Unknown] = msgspec.field(default_factory=list[Unknown])

    def copy(self) -> Branch:
        """An independent copy."""
        return Branch([*self.violations], [*self.seen], [*self.splits], [*self.unknown])


class Findings(msgspec.Struct):
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

    given: Mapping[str, int] = msgspec.field(default_factory=dict[str, int])
    readings: dict[str, Trace] = msgspec.field(default_factory=dict[str, Trace])
    part: Branch = msgspec.field(default_factory=Branch)
    order: int = 0
    root: str = ""
    shards: tuple[int, ...] | None = None
    groups: dict[str, tuple[str, tree_signature.TreeSignature]] = msgspec.field(
        default_factory=dict[str, tuple[str, tree_signature.TreeSignature]]
    )
    _scopes: int = 0
    _apart: dict[str, Scope] = msgspec.field(default_factory=dict[str, Scope])
    _closed: int = 0

    def after(self) -> Findings:
        """The same call, for its result, which has no say in what the arguments have bound."""
        return Findings(
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
        self.part.violations.append(Finding(self.order, violation))

    def guard(self, guard: Guard) -> None:
        """Records a decision that a plan must ask again."""
        self.reading().guards.append(guard)

    def ask_again(self, path: Path, test: Callable[[Any], bool] | None) -> None:
        """Records such a decision about what stands at a path; None for one that classes decide."""
        if test is not None:
            self.guard(Guard(path, test))

    def reading(self) -> Trace:
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
        roots: Mapping[str, ArgumentRef],
        measures: Sequence[Sequence[ShapeSource]],
    ) -> SizeConstraints | None:
        """The sizes that values like those of this call, which was accepted, may have.

        Args:
          names: the sizes of the call's names.
          roots: where the arrays of each argument stand.
          measures: those of each argument.
        """
        if self.given or self.groups:
            return None
        split = [split.expr for split in self.part.splits]
        return constraints_of(self._batches(), split, names, roots, measures)

    def resized(
        self, roots: Mapping[str, ArgumentRef], measures: Sequence[Sequence[ShapeSource]]
    ) -> Findings:
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

    def _uneven(self, sizes: Sizes) -> Iterator[Finding]:
        """The axes whose size the mesh axes that split it do not divide."""
        for split in self.part.splits:
            size = dims.evaluate(split.expr, sizes.known)
            if size is None or size % split.parts == 0:
                continue
            keys, axis = split.origin.path, split.origin.axis
            expected, actual = f"axis {axis} divisible by {split.text}", f"size {size}"
            where = show_path(keys, split.origin.root)
            violation = Violation(where, "sharding", expected, actual, keys=keys)
            yield Finding(split.order, violation)


def _conflict(conflict: Conflict) -> Finding:
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
    return Finding(seen.order, Violation(where, code, expected, actual, seen.note, origin.path))


def _resized(
    item: Observation, roots: Mapping[str, ArgumentRef], measures: Sequence[Sequence[ShapeSource]]
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


def _open(seen: SeenSize) -> Unknown:
    where = show_path(seen.origin.path, seen.origin.root)
    return Unknown(where, f"{seen.text} of size {seen.size} has open names")
