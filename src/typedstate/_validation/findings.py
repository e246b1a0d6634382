"""The evidence of one check: what was refused, which sizes were seen, what must be asked again.

The explainer collects it; `Evidence.report` settles the names and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from .._spec import dims
from .._spec.dims import Dim, Expr
from .._spec.nodes import Array
from ..report import Code, Path, Report, Size, Unknown, Violation, show_path
from . import permuted_axes, tree_signature
from .dim_binding import Conflict, Observation, Scope, SeenSize, Sizes, Var, settle
from .suggestions import common_cause
from .trace import Guard, Trace

_MAX_NOTES: Final = 100


class Split(msgspec.Struct, frozen=True):
    """An axis that a mesh splits: its size is looked at once the names are settled.

    Attributes:
      expr: its size, over variables.
      parts: into how many it is split.
      text: by which mesh axes.
      root: the argument in which the partition was seen.
      path: of the partition.
      axis: which is split.
      order: of the leaf in the tree.
    """

    expr: Expr[Var]
    parts: int
    text: str
    root: str
    path: Path
    axis: int
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


class SizedDim(NamedTuple):
    """A dim of an array's spec beside an array.

    Attributes:
      dim: as written.
      axis: where it stands, or all axes of a run.
      size: of the axis, or the sizes of the run.
      name: where it is a name of the scope around the array and nothing else, as mostly.
    """

    dim: Dim
    axis: Any
    size: Any
    name: str | None


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
      sized: the sizes of an array that fitted a spec but for them, for those that are like it:
        by the spec, which stays alive, and the abstract value.
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
    sized: dict[tuple[int, Hashable], tuple[Array, tuple[SizedDim, ...]]] = msgspec.field(
        default_factory=dict[tuple[int, Hashable], "tuple[Array, tuple[SizedDim, ...]]"]
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

    def reading(self) -> Trace:
        """How the argument is read that is looked at."""
        return self.readings[self.root]

    def worth_a_note(self) -> bool:
        """Whether the next violation will be read: looking for its cause takes time."""
        return len(self.part.violations) < _MAX_NOTES

    def new_scope(self) -> Scope:
        """The names of one more occurrence of a schema."""
        return Scope(self.new_number())

    def new_number(self) -> int:
        """That of a scope of its own."""
        self._scopes += 1
        return self._scopes

    def apart_scope(self, name: str) -> Scope:
        """The names of all schemas that are `Scoped` by this name."""
        if name not in self._apart:
            self._apart[name] = self.new_scope()
        return self._apart[name]

    def batches(self) -> tuple[list[Observation], list[Observation]]:
        """The sizes that were seen of the arguments, and those of the result."""
        return self.part.seen[: self._closed], self.part.seen[self._closed :]

    def report(self, hint: str) -> Report:
        """Settles the names and gives all violations in tree order."""
        given = {Var(0, name): size for name, size in self.given.items()}
        sizes, conflicts, open_ = settle(self.batches(), given)
        turned = permuted_axes.turned(self.batches(), conflicts, given) if conflicts else []
        if turned:  # what they say of other arrays' sizes is wrong
            places = {one.place for one in turned}
            rest = [permuted_axes.without(batch, places) for batch in self.batches()]
            sizes, conflicts, open_ = settle(rest, given)
        found = [
            *self.part.violations,
            *(Finding(one.seen[0].order, one.violation()) for one in turned),
            *(_conflict(conflict) for conflict in conflicts),
            *self._uneven(sizes),
        ]
        found.sort(key=lambda item: item.order)
        violations = tuple(item.violation for item in found)
        names: dict[str, Size] = {var.name: n for var, n in sizes.known.items() if var.scope == 0}
        names |= {var.name: run for var, run in sizes.runs.items() if var.scope == 0}
        unknown = [*self.part.unknown, *map(_open, open_)]
        cause = common_cause(violations)
        return Report(hint, violations, names, tuple(unknown), cause.text, cause.explained)

    def _uneven(self, sizes: Sizes) -> Iterator[Finding]:
        """The axes whose size the mesh axes that split it do not divide."""
        for split in self.part.splits:
            size = dims.evaluate(split.expr, sizes.known)
            if size is None or size % split.parts == 0:
                continue
            expected, actual = f"axis {split.axis} divisible by {split.text}", f"size {size}"
            where = show_path(split.path, split.root)
            violation = Violation(where, "sharding", expected, actual, keys=split.path)
            yield Finding(split.order, violation)


def _conflict(conflict: Conflict) -> Finding:
    seen = conflict.seen
    shown = str(seen.size).replace(" ", "")
    where = show_path(seen.path, seen.root)
    if any(True for _ in dims.names_of(seen.expr)):
        code: Code = "dim"
        expected, actual = conflict.expected, f"{seen.text} is {shown}"
    else:
        code = "size"
        axis = "" if seen.axis is None else f" on axis {seen.axis}"
        expected, actual = f"{conflict.expected}{axis}", shown
    return Finding(seen.order, Violation(where, code, expected, actual, seen.note, seen.path))


def _open(seen: SeenSize) -> Unknown:
    where = show_path(seen.path, seen.root)
    return Unknown(where, f"{seen.text} of size {seen.size} has open names")
