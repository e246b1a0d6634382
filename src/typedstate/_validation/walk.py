"""The walk of a value beside its spec, which collects every violation.

A walk alone decides whether a value fits: guarded code (`_fastpath`) repeats its decisions, and
reports, `isinstance` and boundaries read its findings. It goes from node to node here and reads
each kind of node elsewhere: `levels`, `entries`, `alternatives`, `values`, `arrays`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final, assert_never

from msgspec.structs import replace

from .._annotations.deferred import is_written_out, show_argument as show_written
from .._compat import modules, variables
from .._compat.unknown_kind import UnknownKind
from .._spec import flat_trees
from .._spec.describe import class_name, describe
from .._spec.disjoint import STRICT, less_strict
from .._spec.node_groups import ValueSpec
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    Conditional,
    EntriesSpec,
    FlatSpec,
    Leaf,
    Map,
    ModuleState,
    Node,
    Partition,
    PlacedAsSpec,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
    Union,
    Within,
)
from .._spec.questions import container_of, root_of, unbind
from .._spec.words import Likeness
from ..report import Path, Report, Unknown, show_key, show_path
from . import (
    alternatives,
    arrays,
    entries,
    levels,
    placed_as,
    shares,
    suggestions,
    tree_structure,
    values,
)
from .findings import Findings
from .occurrences import Occurrences
from .scopes import Scope, argument_scope, linked
from .show_value import describe_value
from .trace import Guard, Trace
from .tried import Tried

#: Specs whose own annotation writes no name: those of a Bind around them stay in force.
WRITES_NO_NAME: Final = frozenset(
    {Node, Bound, Union, ScopedSpec, SameSpec, PlacedAsSpec, FlatSpec, Argument, Within}
)
#: A key that no value has: generated code can't reach it.
_NOWHERE: Final = object()


class Walk:
    """The check of one call: any number of values whose outermost names are shared.

    Attributes:
      asked: the spec and the hint of the current value; the others are those of `Walker`.
    """

    __slots__ = (
        "asked",
        "depth",
        "empty",
        "found",
        "occurrences",
        "repeatable",
        "stretch",
        "tried",
    )

    def __init__(self, given: Mapping[str, int] | None = None) -> None:
        """Starts with sizes of outermost names from ``dims=``."""
        self.found = Findings(given or {})
        self.occurrences = Occurrences(self.found)
        self.depth = self.stretch = 0
        self.asked: tuple[Spec | None, Any] = None, None
        self.empty: list[Spec] = []
        self.tried = Tried()
        self.repeatable: dict[int, tuple[Spec, bool]] = {}

    def visit(self, value: object, spec: Spec, root: str = "", hint: Any = None) -> None:
        """Walks one value of the call.

        Args:
          value: that is walked.
          spec: what it should be.
          root: the name of the argument.
          hint: from which the spec was made, for messages.
        """
        self.asked = spec, hint
        self.found.root, self.found.shards = root, None
        self.depth = self.stretch = 0
        self.empty.clear()
        self.occurrences = Occurrences(self.found)
        self.found.depth = 0
        self.tried = Tried()
        self.found.traces.setdefault(root, Trace())
        try:
            self.below(value, spec, (), Scope(0), outermost=True)
        except RecursionError:
            self.found.add((), "container", describe(spec), "a tree nested too deeply to read")
        self.tried = Tried()  # nothing of the value stays alive

    def show(self, spec: Spec) -> str:
        """A spec as text for reports; the whole hint as its user wrote it."""
        asked, hint = self.asked
        whole = asked.inner if isinstance(asked, Within) else asked
        return show_written(hint) if spec is whole and is_written_out(hint) else describe(spec)

    def after(self) -> Walk:
        """The same call, for its result; it holds sizes and paths but no value."""
        later = Walk()
        later.found = self.found.after()
        return later

    def report(self, hint: str) -> Report:
        """Settles the names and gives all violations in tree order."""
        return self.found.report(hint)

    def below(
        self, value: Any, spec: Spec, path: Path, scope: Scope, *, outermost: bool = False
    ) -> None:
        """Walks a part of the value.

        Args:
          value: the part.
          spec: what it should be.
          path: where it stands.
          scope: of the names around it.
          outermost: the names of a schema here are those of `scope`.
        """
        if scope.around is not None and type(spec) not in WRITES_NO_NAME:
            scope = scope.written()
        match spec:
            case Leaf():  # by far the most
                self.leaf(value, spec, path, scope)
            case Node():
                self._occurring(value, spec, path, scope, outermost)
            case Bound():
                self._bound(value, spec, path, scope, outermost)
            case Anything():
                return
            case Map() | EntriesSpec() | StateOfSpec():
                self._level(value, spec, path, scope, outermost)
            case Union():
                alternatives.see_union(self, value, spec, path, scope, outermost)
            case Conditional():
                alternatives.see_decision(self, value, spec, path, scope)
            case Argument():
                self._argument(value, spec, path, scope, outermost)
            case Within(inner, ref):
                own = self.occurrences.scope_inside(ref, path, scope, outermost)
                self.below(value, inner, path, own)
            case ScopedSpec(inner, name):
                number = self.found.apart_scope(name).number
                apart = Scope(number, scope.links if outermost else {}, None, scope.sites)
                self.below(value, inner, path, apart, outermost=True)
            case SameSpec(inner, group, by):
                self.below(value, inner, path, scope, outermost=outermost)
                self._alike(value, group, by, path)
            case PlacedAsSpec(inner, argument):
                self.below(value, inner, path, scope, outermost=outermost)
                placed_as.see_placed(self.found, value, argument, path)
            case ModuleState():
                self._in_place(value, spec, path, scope)
            case FlatSpec():
                self._flat(value, spec, path, scope, outermost)
            case ValueSpec():
                self._leaf_value(value, spec, path, scope, outermost)
            case _:
                assert_never(spec)

    def _bound(self, value: Any, spec: Bound, path: Path, scope: Scope, outermost: bool) -> None:
        """Gives the inner names as expressions over the outer ones."""
        binds, inner = unbind(spec) if isinstance(spec.inner, Bound) else ([spec.links], spec.inner)
        ref = inner.ref if isinstance(inner, Node | Within) else None
        number = scope.number if outermost else self.occurrences.new_number(ref, path)
        below = linked(scope, binds, number, outermost=outermost)
        self.below(value, inner, path, below, outermost=True)

    def _occurring(self, value: Any, spec: Node, path: Path, scope: Scope, outermost: bool) -> None:
        """One occurrence of a schema."""
        occurrences = self.occurrences
        kept, own = occurrences.tree_at, occurrences.scope_inside(spec.ref, path, scope, outermost)
        if occurrences.begins_tree(path, outermost):
            occurrences.begin_tree(own.number, root_of(spec.ref), path)
        top, occurrences.top = occurrences.top, None
        levels.see_node(self, value, spec, path, own)
        occurrences.tree_at, occurrences.top = kept, top

    def _level(
        self,
        value: Any,
        spec: Map | EntriesSpec | StateOfSpec,
        path: Path,
        scope: Scope,
        outermost: bool,
    ) -> None:
        """A level without a schema class of its own."""
        occurrences = self.occurrences
        kept, top = occurrences.tree_at, occurrences.top
        number = scope.number if outermost else occurrences.top_at(path)
        if occurrences.begins_tree(path, outermost):
            occurrences.begin_level(scope.number, spec, path, outermost)
        occurrences.top = None if number is None else (len(path) + 1, number)
        match spec:
            case Map():
                entries.see_map(self, value, spec, path, scope)
            case EntriesSpec():
                entries.see_entries(self, value, spec, path, scope)
            case StateOfSpec():
                entries.see_state_of(self, value, spec, path, scope)
        occurrences.tree_at, occurrences.top = kept, top

    def _argument(
        self, value: Any, spec: Argument, path: Path, scope: Scope, outermost: bool
    ) -> None:
        """A type argument: its names are those of where it was written."""
        site = scope.site_of(spec.owner)
        if site is None or (outermost and scope.around is None):  # kept apart, say
            self.below(value, spec.inner, path, scope, outermost=outermost)
            return
        use: Hashable = (site.key, spec.index)
        occurrences = self.occurrences
        if occurrences.entry == path:  # each entry of a map has its own names
            site, use = replace(site, number=None), (use, occurrences.of(None, path))
        kept, occurrences.argument_at = occurrences.argument_at, (use, len(path))
        of_call, occurrences.argument_of = occurrences.argument_of, site.top
        self.found.depth += 1
        there, inner = argument_scope(scope, site), spec.inner
        links = {**site.links, **scope.given}
        if site.number is None and isinstance(inner, Node) and links:
            number = occurrences.new_number(inner.ref, path)
            self.below(value, inner, path, Scope(number, links, there, there.sites), outermost=True)
        else:
            self.below(value, inner, path, there, outermost=site.number is not None)
        occurrences.argument_at, occurrences.argument_of = kept, of_call
        self.found.depth -= 1

    def _in_place(self, value: Any, spec: ModuleState, path: Path, scope: Scope) -> None:
        if not isinstance(value, spec.cls):
            self.found.order += 1
            self.found.add(path, "container", class_name(spec.cls), describe_value(value))
            return
        tree = modules.module_tree(value)
        self.found.trace().live.add(path)
        self.below(tree.mapping, spec.inner, path, scope, outermost=True)
        for found in shares.wrong_shares(spec.inner, tree.shared):
            self.found.order += 1
            expected = f"the Variable of {found.target}"
            self.found.add((*path, *found.path), "metadata", expected, f"that of {found.actual}")

    def _flat(self, value: Any, spec: FlatSpec, path: Path, scope: Scope, outermost: bool) -> None:
        """Reads a flat tree as the nested one that it is; of it no code is generated."""
        self.found.guard(Guard((*path, _NOWHERE), lambda _: False))
        tree = flat_trees.nested(value, spec)
        if isinstance(tree, flat_trees.Misfit):
            self.found.order += 1
            where = path if tree.key is None else (*path, tree.key)
            actual = describe_value(value) if tree.key is None else f"the key {show_key(tree.key)}"
            self.found.add(where, "container", tree.expected, actual, tree.note)
            return
        if container_of(spec.inner) == "state":
            tree = variables.State(tree)
        self.below(tree, spec.inner, path, scope, outermost=outermost)

    def _alike(self, value: Any, group: str, by: Likeness, path: Path) -> None:
        if self.empty:  # it is not there: nothing to be alike
            return
        in_place = path in self.found.trace().live or modules.is_module(value)
        found = tree_structure.structure_of(tree_structure.state_of(value) if in_place else value)
        self.found.guard(Guard(path, tree_structure.TreedefLike(found.treedef, in_place)))
        firsts = self.found.groups.setdefault(group, {})
        if firsts:  # the one that says most: the others agree with it in what they say
            strictest = min(firsts, key=STRICT.index)
            (root, first), both = firsts[strictest], less_strict(by, strictest)
            for keys, code, expected, actual in tree_structure.differences(first, found, both):
                self.found.order += 1
                where = show_path(keys, root) or "the first"
                self.found.add((*path, *keys), code, f"{expected} as in {where}", actual)
        firsts.setdefault(by, (show_path(path, self.found.root), found))

    def leaf(self, value: Any, spec: Leaf, path: Path, scope: Scope) -> None:
        """Walks a leaf: a Variable, or a raw array."""
        found, raw, misnamed = self.found, value, False
        found.order += 1
        if spec.kind is not None:
            if type(value) is not spec.kind and not self._is_of_kind(value, spec, spec.kind, path):
                return
            if variables.HIJAX_BY_DEFAULT and not variables.is_variable(value):
                self.leaf(value, Leaf(None, spec.value, predicates=spec.predicates), path, scope)
                return
            if spec.names is not None:
                before = len(found.part.violations)
                arrays.see_names(found, value, spec.names, spec, path)
                misnamed = len(found.part.violations) > before
            raw = variables.raw_value(value)
        count = len(found.part.violations)
        alike = found.sized.get((id(spec.value), variables.aval_of(raw)))
        if alike is not None:  # an array like one that fitted this spec, as by far the most are
            arrays.see_deleted(found, raw, path)
            arrays.see_sizes(found, alike[1], path, scope)
        else:
            self._held(value, raw, spec, path, scope)
        if len(found.part.violations) > count:
            return
        if spec.predicates:
            arrays.ask_predicates(found, value, raw, spec.predicates, path)
        if misnamed and spec.placed is not None and arrays.is_as_named(value, spec.placed):
            return  # its names are wrong, and where it is follows from those
        if spec.placed is not None and len(found.part.violations) == count:
            arrays.see_placement(found, value, spec, spec.placed, path)

    def _held(self, value: Any, raw: Any, spec: Leaf, path: Path, scope: Scope) -> None:
        """Walks the content of a Variable, or a raw leaf."""
        found = self.found
        if isinstance(spec.value, Anything):
            if spec.kind is None and variables.is_variable(value):
                note = suggestions.value_note(value)
                found.add(path, "array", "a value", describe_value(value), note)
            arrays.see_deleted(found, raw, path)
        elif isinstance(spec.value, Partition):  # of a Variable's own mesh, so asked of that
            arrays.see_partition(found, value, spec.value, path, scope)
        else:
            found.shards = arrays.shards_of(value, raw, spec)
            trace = found.trace()
            asked = len(trace.guards)
            values.see_value(self, raw, spec.value, path, scope)
            if spec.kind is not None and len(trace.guards) > asked:
                trace.ask_values(path, asked)
            found.shards = None

    def _is_of_kind(self, value: Any, spec: Leaf, wanted: type, path: Path) -> bool:
        """Whether a value is a Variable of a kind; if not, adds a violation."""
        if variables.stands_for(value, wanted):
            return True
        if not variables.is_variable(value):
            note = suggestions.kind_note(value, spec)
            self.found.add(path, "kind", self.found.describe(spec), describe_value(value), note)
            return False
        kind = variables.kind_of(value)
        if kind is wanted or (not spec.exact and issubclass(kind, wanted)):
            return True
        if kind is UnknownKind:
            where = show_path(path, self.found.root)
            self.found.part.unknown.append(Unknown(where, "of which kind it was is not stored"))
            return True
        note = suggestions.stale_kind_note(kind, wanted)
        self.found.add(path, "kind", self.found.describe(spec), describe_value(value), note)
        return False

    def _leaf_value(
        self, value: Any, spec: Spec, path: Path, scope: Scope, outermost: bool
    ) -> None:
        """A raw leaf of a state, or a value or container of values at a boundary."""
        self.found.order += 1
        around = self.found.shards
        if around is None:  # within a leaf, that of the leaf is known
            self.found.shards = arrays.shards_of(value, value, None)
        values.see_value(self, value, spec, path, scope, outermost)
        self.found.shards = around
