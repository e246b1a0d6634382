"""The findings of one check: violations, sizes that were seen, decisions to ask again.

The walk collects them; `Findings.report` settles the names and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from .._sharding.as_argument import Placements
from .._spec import dims
from .._spec.describe import describe
from .._spec.dims import Dim, Expr
from .._spec.nodes import Array, Spec
from .._spec.words import Likeness
from ..report import Code, Path, Report, Size, Unknown, Violation, show_path
from . import moments, optimizer_make, permuted_axes, tree_structure, uses
from .causes import Cause, Note, common_cause
from .dim_binding import Choice, Conflict, Observation, SeenSize, Sizes, lost, settle
from .scopes import Scope, Var, in_scopes
from .trace import Guard, Trace
from .uses import Entries, Presence, Tree

_MAX_NOTES: Final = 100
_Firsts = dict[Likeness, tuple[str, tree_structure.TreeStructure]]


class Split(msgspec.Struct, frozen=True):
    """An axis that a mesh splits: its size is looked at once the names are settled.

    Attributes:
      expr: the size of the axis, over variables.
      parts: the number of parts.
      text: the mesh axes, as text.
      root: the argument with the partition.
      path: the path of the partition.
      axis: the position of the axis.
      order: the position of the leaf in the order of the walk.
    """

    expr: Expr[Var]
    parts: int
    text: str
    root: str
    path: Path
    axis: int
    order: int


class Finding(msgspec.Struct):
    """A violation, and the leaf of the tree at which it was found.

    Attributes:
      order: the position of the leaf in the order of the walk.
      violation: what is wrong.
      cause: see `Note`; empty if none is known.
    """

    order: int
    violation: Violation
    cause: str = ""


class Branch(msgspec.Struct):
    """The findings of one walk, or of one alternative of a union."""

    violations: list[Finding] = msgspec.field(default_factory=list[Finding])
    seen: list[Observation] = msgspec.field(default_factory=list[Observation])
    splits: list[Split] = msgspec.field(default_factory=list[Split])
    unknown: list[Unknown] = msgspec.field(default_factory=list[Unknown])
    present: list[Presence] = msgspec.field(default_factory=list[Presence])
    entries: list[Entries] = msgspec.field(default_factory=list[Entries])

    def copy(self) -> Branch:
        """An independent copy."""
        return Branch(
            [*self.violations],
            [*self.seen],
            [*self.splits],
            [*self.unknown],
            [*self.present],
            [*self.entries],
        )

    def take(self, other: Branch) -> None:
        """Adds the findings of an alternative that fits, without its sizes."""
        self.splits += other.splits
        self.unknown += other.unknown
        self.present += other.present
        self.entries += other.entries


class SizedDim(NamedTuple):
    """A dim of an array's spec beside an array.

    Attributes:
      dim: the dim as it is written.
      axis: the position of the axis, or all positions of a run.
      size: the size of the axis, or the sizes of the run.
      name: the name, if the dim is a plain name of the scope around the array, else None.
    """

    dim: Dim
    axis: Any
    size: Any
    name: str | None


class Findings(msgspec.Struct):
    """The findings about all values of one call; they hold sizes and paths but no value.

    Attributes:
      given: the sizes of outermost names from ``dims=``.
      traces: the trace of each argument.
      part: the findings of the walk, or of the alternative that is being tried.
      order: the number of the current leaf, counted through the call.
      root: the current argument.
      shards: the number of shards along each axis, if the current array is one shard.
      groups: the first tree of each `Same`, by its name and by the aspects that must agree.
      sized: the dims of arrays that fit except for sizes, to be used again for arrays like them:
        by the ``id`` of the spec, which is kept alive, and the abstract value.
      depth: of the type arguments that are looked at.
      makes: of optimizers with violations, by the argument and the path of their ``opt_state``.
      moments: the paths of the trees of moments below each ``opt_state``.
      places: where the arguments that `PlacedAs` names have or put their leaves.
      trees: those that may have to agree with others of the same schema.
    """

    given: Mapping[str, int] = msgspec.field(default_factory=dict[str, int])
    traces: dict[str, Trace] = msgspec.field(default_factory=dict[str, Trace])
    part: Branch = msgspec.field(default_factory=Branch)
    order: int = 0
    root: str = ""
    shards: tuple[int, ...] | None = None
    depth: int = 0
    makes: dict[tuple[str, Path], optimizer_make.Make] = msgspec.field(
        default_factory=dict[tuple[str, Path], optimizer_make.Make]
    )
    moments: dict[tuple[str, Path], tuple[Path, ...]] = msgspec.field(
        default_factory=dict[tuple[str, Path], "tuple[Path, ...]"]
    )
    places: dict[str, Placements] = msgspec.field(default_factory=dict[str, "Placements"])
    trees: list[Tree] = msgspec.field(default_factory=list[Tree])
    groups: dict[str, _Firsts] = msgspec.field(default_factory=dict[str, "_Firsts"])
    sized: dict[tuple[int, Hashable], tuple[Array, tuple[SizedDim, ...]]] = msgspec.field(
        default_factory=dict[tuple[int, Hashable], "tuple[Array, tuple[SizedDim, ...]]"]
    )
    _described: dict[int, tuple[Spec, str]] = msgspec.field(
        default_factory=dict[int, "tuple[Spec, str]"]
    )
    _scopes: int = 0
    _apart: dict[str, Scope] = msgspec.field(default_factory=dict[str, Scope])
    _shared: dict[Hashable, int] = msgspec.field(default_factory=dict[Hashable, int])
    _closed: int = 0

    def after(self) -> Findings:
        """The findings for the call's result, which can't change sizes that arguments bound."""
        return Findings(
            self.given,
            part=self.part.copy(),
            order=self.order,
            groups={name: dict(firsts) for name, firsts in self.groups.items()},
            places=self.places,
            trees=[*self.trees],
            _scopes=self._scopes,
            _apart=dict(self._apart),
            _shared=dict(self._shared),
            _closed=len(self.part.seen),
        )

    def add(
        self, path: Path, code: Code, expected: str, actual: str, note: Note | str = ""
    ) -> None:
        """Records a violation."""
        text, cause = (note, "") if isinstance(note, str) else note
        violation = Violation(show_path(path, self.root), code, expected, actual, text, path)
        self.violate(violation, cause)

    def describe(self, spec: Spec) -> str:
        """A spec as text, which is made once however many leaves of it are wrong."""
        found = self._described.get(id(spec))
        if found is None:
            found = self._described[id(spec)] = spec, describe(spec)
        return found[1]

    def violate(self, violation: Violation, cause: str = "") -> None:
        """Records a violation at the leaf that is looked at."""
        self.part.violations.append(Finding(self.order, violation, cause))

    def guard(self, guard: Guard) -> None:
        """Records a decision that guarded code must ask again."""
        self.trace().guards.append(guard)

    def ask_again(self, path: Path, test: Callable[[Any], bool] | None) -> None:
        """Records such a decision about what stands at a path; None for one that classes decide."""
        if test is not None:
            self.guard(Guard(path, test))

    def trace(self) -> Trace:
        """The trace of the argument that is being walked."""
        return self.traces[self.root]

    def worth_a_note(self) -> bool:
        """Whether the next violation will be read: looking for its cause takes time."""
        return len(self.part.violations) < _MAX_NOTES

    def new_scope(self) -> Scope:
        """The names of one more occurrence of a schema."""
        return Scope(self.new_number())

    def new_number(self, count: int = 1) -> int:
        """A new number for a scope; of several the first."""
        first = self._scopes + 1
        self._scopes += count
        return first

    def shared_scope(self, occurrence: Hashable) -> int:
        """The number of the scope of one occurrence, however often it is met."""
        found = self._shared.get(occurrence)
        if found is None:
            found = self._shared[occurrence] = self.new_number()
        return found

    def apart_scope(self, name: str) -> Scope:
        """The names of all schemas that are `Scoped` by this name."""
        if name not in self._apart:
            self._apart[name] = self.new_scope()
        return self._apart[name]

    def is_shared(self, number: int) -> bool:
        """Whether a scope is the call's, or of a name: more than one schema has its names."""
        return number == 0 or any(scope.number == number for scope in self._apart.values())

    def batches(self) -> tuple[list[Observation], list[Observation]]:
        """The sizes that were seen of the arguments, and those of the result."""
        seen, scopes = self.part.seen, _related(self.trees)
        if scopes:
            seen = [_in_scopes(item, scopes) for item in seen]
        return seen[: self._closed], seen[self._closed :]

    def report(self, hint: str) -> Report:
        """Settles the names and gives all violations in tree order."""
        given = {Var(0, name): size for name, size in self.given.items()}
        batches = self.batches()
        sizes, conflicts, open_ = settle(batches, given)
        turned = permuted_axes.turned(batches, sizes, conflicts, given) if conflicts else []
        if turned:  # what they say of other arrays' sizes is wrong
            places = {one.place for one in turned}
            rest = [permuted_axes.without(batch, places) for batch in batches]
            sizes, conflicts, open_ = settle(rest, given)
        found = [
            *self.part.violations,
            *(Finding(one.seen[0].order, one.violation()) for one in turned),
            *(_conflict(conflict) for conflict in conflicts),
            *self._uneven(sizes),
            *map(_lost, lost(sizes)),
        ]
        counts = [*(one.seen for one in conflicts), *lost(sizes)]
        counted = {(seen.root, seen.path) for seen in counts if seen.axis is None}
        part = self.part
        found += (
            Finding(*one)
            for one in uses.differences(part.present, part.entries, self.trees, counted)
        )
        found.sort(key=lambda item: item.order)
        violations = tuple(item.violation for item in found)
        names: dict[str, Size] = {var.name: n for var, n in sizes.known.items() if var.scope == 0}
        names |= {var.name: run for var, run in sizes.runs.items() if var.scope == 0}
        unknown = [*self.part.unknown, *map(_open, open_)]
        cause = self._cause(violations, [item.cause for item in found])
        return Report(hint, violations, names, tuple(unknown), cause.text, cause.explained)

    def _cause(self, violations: Sequence[Violation], causes: Sequence[str]) -> Cause:
        make = optimizer_make.another_make(self.makes, violations)
        model = make or moments.another_model(self.moments, violations, causes)
        return model or common_cause(causes)

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


def _lost(seen: SeenSize) -> Finding:
    """A map that is not there, though nothing says that it has no entries."""
    where, note = show_path(seen.path, seen.root), f"absent only where {_length_of(seen)} is 0"
    violation = Violation(where, "missing", seen.absent, "nothing", note, seen.path)
    return Finding(seen.order, violation)


def _length_of(seen: SeenSize) -> str:
    return seen.text.removeprefix("the number of entries (").removesuffix(")")


def _related(trees: Iterable[Tree]) -> dict[int, int]:
    """Scopes in moments, say, by those in the parameters, where there is one tree of these."""
    found: dict[int, int] = {}
    by_names: dict[Hashable, list[Tree]] = {}
    for tree in trees:
        by_names.setdefault(tree.names, []).append(tree)
    for group in by_names.values():
        if len(group) == 1:
            continue
        depth = min(tree.depth for tree in group)
        first, *more = [tree.scopes() for tree in group if tree.depth == depth]
        if all(scopes == first for scopes in more):
            for tree in group:
                pairs = ((n, first.get(key, n)) for key, n in tree.scopes().items())
                found |= {number: other for number, other in pairs if number != other}
    return found


def _in_scopes(item: Observation, scopes: Mapping[int, int]) -> Observation:
    if isinstance(item, Choice):
        return Choice([[_in_scopes(seen, scopes) for seen in one] for one in item.options])
    if not any(var.scope in scopes for var in dims.names_of(item.expr)):
        return item
    return replace(item, expr=in_scopes(item.expr, scopes))


def _conflict(conflict: Conflict) -> Finding:
    seen = conflict.seen
    shown = str(seen.size).replace(" ", "")
    where = show_path(seen.path, seen.root)
    if any(True for _ in dims.names_of(seen.expr)):
        code: Code = "dim"
        expected, actual = conflict.expected, f"{seen.text} is {shown}"
    else:
        code = "size"
        axis = " entries" if seen.axis is None else f" on axis {seen.axis}"
        expected, actual = f"{conflict.expected}{axis}", shown
    return Finding(seen.order, Violation(where, code, expected, actual, seen.note, seen.path))


def _open(seen: SeenSize) -> Unknown:
    where = show_path(seen.path, seen.root)
    return Unknown(where, f"{seen.text} of size {seen.size} has open names")
