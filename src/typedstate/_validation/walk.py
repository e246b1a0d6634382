"""The explainer: walks a value beside its spec and collects every violation.

This is the only place that decides whether a value fits. The fast path (`replay`) repeats
decisions that were made here; reports, `isinstance` and boundaries read what it returns.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, assert_never, cast

import numpy as np
from msgspec.structs import replace

from .._compat import modules, scalars, variables
from .._spec import dim_grammar, dims, filters, flat_trees
from .._spec.describe import class_name, describe
from .._spec.nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    FlatSpec,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    Partition,
    RecordOf,
    SameSpec,
    SchemaRef,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)
from .._spec.questions import container_of, needs_leaf, unbind
from .._spec.rewrite import root_of
from ..report import Path, Report, show_key, show_path
from . import arrays, guards, key_patterns, shares, suggestions, tree_signature, undeclared
from .dim_binding import Choice, Scope, SeenSize, argument_scope, inside, linked
from .findings import Branch, Findings, Presence, Tree as TreeFound
from .show_value import describe_value
from .trace import Guard, Trace

_MAX_DEPTH: Final = 200
_MAX_EMPTY: Final = 32
_MAX_GAPS: Final = 100
#: Specs whose own annotation writes no name: those of a Bind around them stay in force.
WRITES_NO_NAME: Final = frozenset(
    {Node, Bound, Union, ScopedSpec, SameSpec, FlatSpec, Argument, Within}
)
#: A key that no value has: generated code can't reach it.
_NOWHERE: Final = object()
_HEAD_CODES: Final = frozenset({"kind", "container", "array"})


class Walk:
    """The check of one call: any number of values whose outermost names are shared.

    Attributes:
      found: what was seen of them so far.
    """

    __slots__ = ("_argument_at", "_depth", "_empty", "_entry", "_stretch", "_tree_at", "found")

    def __init__(self, given: Mapping[str, int] | None = None) -> None:
        """Starts with sizes of outermost names from ``dims=``."""
        self.found = Findings(given or {})
        self._depth = self._stretch = 0
        self._empty: list[Spec] = []
        self._argument_at: tuple[Hashable, int] | None = None
        self._tree_at: tuple[TreeFound, int] | None = None
        self._entry: Path | None = None

    def visit(self, value: object, spec: Spec, root: str = "") -> None:
        """Walks one value of the call."""
        self.found.root, self.found.shards = root, None
        self._depth = self._stretch = 0
        self._empty.clear()
        self._argument_at = self._tree_at = self._entry = None
        self.found.depth = 0
        self.found.readings.setdefault(root, Trace())
        try:
            self._visit(value, spec, (), Scope(0), outermost=True)
        except RecursionError:
            self.found.add((), "container", describe(spec), "a tree nested too deeply to read")

    def after(self) -> Walk:
        """The same call, for its result; it holds sizes and paths but no value."""
        later = Walk()
        later.found = self.found.after()
        return later

    def report(self, hint: str) -> Report:
        """Settles the names and gives all violations in tree order."""
        return self.found.report(hint)

    # -- Trees ---------------------------------------------------------------------------

    def _visit(
        self, value: Any, spec: Spec, path: Path, scope: Scope, *, outermost: bool = False
    ) -> None:
        if scope.around is not None and type(spec) not in WRITES_NO_NAME:
            scope = scope.written()
        match spec:
            case Leaf():  # by far the most
                self._leaf(value, spec, path, scope)
            case Node():
                self._occurring(value, spec, path, scope, outermost)
            case Bound():
                self._bound(value, spec, path, scope, outermost)
            case Anything():
                return
            case Map():
                self._map(value, spec, path, scope)
            case Union():
                self._one_of(value, spec, path, scope, outermost)
            case Conditional():
                self._decide(value, spec, path, scope)
            case EntriesSpec():
                self._entries(value, spec, path, scope)
            case StateOfSpec():
                self._tree(value, spec, path, scope, path)
            case Argument():
                self._argument(value, spec, path, scope, outermost)
            case Within(inner, ref):
                self._visit(value, inner, path, self._inside(ref, path, scope, outermost))
            case ScopedSpec(inner, name):
                number = self.found.apart_scope(name).number
                apart = Scope(number, scope.links if outermost else {}, None, scope.sites)
                self._visit(value, inner, path, apart, outermost=True)
            case SameSpec(inner, group):
                self._visit(value, inner, path, scope, outermost=outermost)
                self._alike(value, group, path)
            case ModuleState():
                self._in_place(value, spec, path, scope)
            case FlatSpec():
                self._flat(value, spec, path, scope, outermost)
            case (
                NoValue()
                | Instance()
                | Literally()
                | Array()
                | TupleOf()
                | ItemsOf()
                | MappingOf()
                | RecordOf()
                | Partition()
                | Validated()
            ):
                self._leaf_value(value, spec, path, scope, outermost)
            case _:
                assert_never(spec)

    def _bound(self, value: Any, spec: Bound, path: Path, scope: Scope, outermost: bool) -> None:
        """Gives the inner names as expressions over the outer ones."""
        binds, inner = unbind(spec) if isinstance(spec.inner, Bound) else ([spec.links], spec.inner)
        ref = inner.ref if isinstance(inner, Node | Within) else None
        number = scope.number if outermost else self._new_number(ref, path)
        below = linked(scope, binds, number, outermost=outermost)
        self._visit(value, inner, path, below, outermost=True)

    def _occurring(self, value: Any, spec: Node, path: Path, scope: Scope, outermost: bool) -> None:
        """One occurrence of a schema."""
        kept, own = self._tree_at, self._inside(spec.ref, path, scope, outermost)
        at = self._argument_at
        if outermost or (at is not None and at[1] == len(path)):
            self._begin_tree(own.number, spec.ref, path)
        self._node(value, spec, path, own)
        self._tree_at = kept

    def _inside(self, ref: SchemaRef, path: Path, scope: Scope, outermost: bool) -> Scope:
        """The scope of one occurrence of a schema."""
        number = scope.number if outermost else self._new_number(ref, path)
        key = self._occurrence(ref, path) if ref.owners else None
        return inside(scope, number, ref.owners, key, outermost=outermost)

    def _begin_tree(self, number: int, ref: SchemaRef, path: Path) -> None:
        """A tree that may have to agree with others of the same schema and names."""
        use = self._argument_at[0] if self._argument_at else (self.found.root, path)
        tree = TreeFound((number, root_of(ref)), use, self.found.depth)
        self.found.trees.append(tree)
        self._tree_at = tree, len(path)

    def _occurrence(self, ref: SchemaRef | None, path: Path) -> Hashable:
        """Tells one occurrence of a schema from others, but not uses of one type argument."""
        at, depth = self._argument_at or (self.found.root, 0)
        return at, path[depth:], None if ref is None else root_of(ref)

    def _new_number(self, ref: SchemaRef | None, path: Path) -> int:
        """Of the scope of one occurrence; the same in every use of a type argument."""
        if self._argument_at is None:
            number = self.found.new_number()
        else:
            number = self.found.shared_scope(self._occurrence(ref, path))
        if self._tree_at is not None:
            tree, depth = self._tree_at
            tree.scopes[path[depth:], None if ref is None else root_of(ref)] = number
        return number

    def _argument(
        self, value: Any, spec: Argument, path: Path, scope: Scope, outermost: bool
    ) -> None:
        """A type argument: its names are those of where it was written."""
        site = scope.site_of(spec.owner)
        if site is None or (outermost and scope.around is None):  # kept apart, say
            self._visit(value, spec.inner, path, scope, outermost=outermost)
            return
        use: Hashable = (site.key, spec.index)
        if self._entry == path:  # each entry of a map has its own names
            site, use = replace(site, number=None), (use, self._occurrence(None, path))
        kept, self._argument_at = self._argument_at, (use, len(path))
        self.found.depth += 1
        there, inner = argument_scope(scope, site), spec.inner
        links = {**site.links, **scope.given}
        if site.number is None and isinstance(inner, Node) and links:
            number = self._new_number(inner.ref, path)
            self._visit(
                value, inner, path, Scope(number, links, there, there.sites), outermost=True
            )
        else:
            self._visit(value, inner, path, there, outermost=site.number is not None)
        self._argument_at = kept
        self.found.depth -= 1

    def _mapping(
        self, value: Any, spec: Spec, path: Path, container: str
    ) -> dict[Hashable, Any] | None:
        """The keys and values of a sub-state, or a violation where it is none."""
        mapping = variables.mapping_of(value)
        if mapping is None:
            note = suggestions.container_note(value)
            self.found.add(
                path, "container", f"a state {describe(spec)}", describe_value(value), note
            )
            return None
        if container == "state" and not path and not variables.is_state(value):
            self.found.add(path, "container", "an nnx.State", describe_value(value))
        if container == "dict" and variables.is_state(value):
            note = "nnx.to_pure_dict gives one"
            self.found.add(path, "container", "a plain dict of values", "an nnx.State", note)
            return None
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RecursionError
        try:
            return dict(mapping)
        except Exception as error:  # a mapping of the user's own, or one that changes meanwhile
            actual = f"a mapping that can't be read ({type(error).__name__})"
            self.found.add(path, "container", f"a state {describe(spec)}", actual)
            return None

    def _node(self, value: Any, spec: Node, path: Path, scope: Scope) -> None:
        schema = spec.ref.resolve()
        mapping = self._mapping(value, spec, path, schema.container)
        if mapping is None:
            return
        wrapped = suggestions.too_deep(mapping, schema) if len(mapping) == 1 else None
        if wrapped is not None:
            self.found.order += 1
            note = "the tree is one level too deep: pass what stands under this key"
            below = (*path, wrapped)
            actual = describe_value(mapping[wrapped])
            self.found.add(below, "extra", f"the keys of {schema.name}", actual, note)
            self._node(mapping[wrapped], spec, below, scope)
            self._depth -= 1
            return
        self._fields(mapping, schema.fields, schema.extra, path, scope)
        self._depth -= 1

    def _fields(
        self,
        mapping: dict[Hashable, Any],
        fields: tuple[Field, ...],
        extra: Extra,
        path: Path,
        scope: Scope,
    ) -> None:
        """What stands under each declared key, then what stands under others."""
        there = 0
        for item in fields:
            if item.optional and self._tree_at is not None:
                self._see_presence(mapping.get(item.key) is not None, item, (*path, item.key))
            if item.key in mapping:
                there += 1
                value = mapping[item.key]
                if item.shared is not None:
                    self._twice(value, item, (*path, item.key))
                elif value is not None or not item.optional:
                    if isinstance(item.spec, Leaf):  # at once, as most fields are
                        self._leaf(value, item.spec, (*path, item.key), scope)
                    else:
                        self._visit(value, item.spec, (*path, item.key), scope)
            elif not item.optional and item.shared is None:
                self._missing(mapping, item, fields, (*path, item.key), scope)
        if there < len(mapping):
            unknown = _unknown(mapping, fields)
            self._extras(mapping, unknown, extra, path, scope, fields)

    def _twice(self, value: Any, item: Field, path: Path) -> None:
        """A Variable that stands at its first path already."""
        note = "Flax keeps a shared Variable at its first path in sorted order"
        expected = f"nothing, as it is shared with {item.shared}"
        self.found.order += 1
        self.found.add(path, "extra", expected, describe_value(value), note)

    def _missing(
        self,
        mapping: dict[Hashable, Any],
        item: Field,
        fields: tuple[Field, ...],
        child: Path,
        scope: Scope,
    ) -> None:
        """A declared key that is not there: a violation unless Flax drops what is empty."""
        spec: Spec | None = item.spec
        if isinstance(spec, Conditional):
            spec = filters.surely(spec, child)
        if spec is None or not needs_leaf(spec):
            self._absent(item.spec, child, scope)
            return
        self.found.order += 1
        worth = self.found.worth_a_note()
        note = suggestions.missing_note(item.key, _unknown(mapping, fields)) if worth else ""
        self.found.add(child, "missing", describe(spec), "nothing", note)

    def _see_presence(self, there: bool, item: Field, path: Path) -> None:
        """An optional leaf is there in all uses of a type argument, or in none."""
        if self._tree_at is None or item.decided or isinstance(item.spec, Conditional):
            return
        if not there and not needs_leaf(item.spec):
            return  # a form has left nothing of it that would have to be there
        tree, depth = self._tree_at
        found = self.found
        seen = Presence(tree, path[depth:], there, found.root, path, found.order, item.spec)
        self.found.part.present.append(seen)

    def _absent(self, spec: Spec, path: Path, scope: Scope) -> None:
        """Flax drops a branch without leaves: it is checked as an empty one, e.g. its length."""
        inner = spec
        while isinstance(inner, Bound | ScopedSpec | Argument):
            inner = inner.inner
        if not isinstance(inner, Node | Map | EntriesSpec) or inner in self._empty:
            return
        if len(self._empty) > _MAX_EMPTY:
            return
        self.found.order += 1
        self._empty.append(inner)
        self._visit({}, spec, path, scope)
        self._empty.pop()

    def _extras(
        self,
        mapping: dict[Hashable, Any],
        unknown: list[Hashable],
        extra: Extra,
        path: Path,
        scope: Scope,
        fields: tuple[Field, ...] = (),
    ) -> None:
        if extra.patterns:
            every = len(unknown) == len(mapping)
            self.found.ask_again(path, guards.keys_like(unknown, every))
        for key in unknown:
            value, child = mapping[key], (*path, key)
            self.found.order += 1
            spec = undeclared.pattern_spec(extra, key)
            if spec is not None:
                self._visit(value, spec, child, scope)
            elif not undeclared.allowed(self.found, value, extra, child):
                worth = self.found.worth_a_note()
                note = suggestions.extra_note(key, mapping, fields) if worth else ""
                self.found.add(child, "extra", "no such key", describe_value(value), note)

    def _map(self, value: Any, spec: Map, path: Path, scope: Scope) -> None:
        mapping = self._mapping(value, spec, path, spec.container)
        if mapping is None:
            return
        self.found.ask_again(path, guards.keys_like(mapping, every=True))
        entries: dict[Hashable, Any] = {}
        text_keys: list[str] = []
        unknown: list[Hashable] = []
        for key, item in mapping.items():
            number = _as_int(key) if spec.key == "int" else None
            if number is not None:
                entries[number] = item
            elif spec.key == "str" and isinstance(key, str):
                entries[key] = item
            elif spec.key == "int" and key_patterns.int_of(key) is not None:
                text_keys.append(str(key))
                entries[key_patterns.int_of(key)] = item
            else:
                unknown.append(key)
        if text_keys:
            self.found.order += 1
            note = "nnx.restore_int_paths makes them int"
            shown = ", ".join(repr(key) for key in text_keys[:3])
            more = ", ..." if len(text_keys) > 3 else ""
            self.found.add(path, "key", "int keys", f"str keys {shown}{more}", note)
        self._entry_keys(unknown, mapping, spec, path, scope)
        for key, item in entries.items():
            child = (*path, key)
            self._entry = child
            self._visit(item, spec.entry, child, scope)
        if spec.length is not None or spec.key == "int":
            self._length(entries, spec, path, scope)
        self._depth -= 1

    def _entry_keys(
        self,
        unknown: list[Hashable],
        mapping: dict[Hashable, Any],
        spec: Map,
        path: Path,
        scope: Scope,
    ) -> None:
        for key in unknown:
            child = (*path, key)
            self.found.order += 1
            extra = spec.extra
            if undeclared.pattern_spec(extra, key) is not None or undeclared.allowed(
                self.found, mapping[key], extra, child
            ):
                continue
            self.found.add(child, "key", f"{spec.key} keys", f"the key {show_key(key)}")

    def _length(self, entries: dict[Hashable, Any], spec: Map, path: Path, scope: Scope) -> None:
        self.found.order += 1
        length = len(entries)
        if spec.key == "int" and entries:
            length = 1 + max(key for key in entries if isinstance(key, int))
            if length > len(entries) and needs_leaf(spec.entry):
                gaps = (index for index in range(length) if index not in entries)
                for index in itertools.islice(gaps, _MAX_GAPS):
                    expected = describe(spec.entry)
                    note = "a gap in the keys"
                    self.found.add((*path, index), "missing", expected, "nothing", note)
        self._see_length(spec, length, path, scope)

    def _see_length(self, spec: Map, length: int, path: Path, scope: Scope) -> None:
        if spec.length is None:
            return
        if not needs_leaf(spec.entry):
            return  # the last entries may be absent, so the length can't be seen
        expr = dims.substitute(spec.length, scope.lookup)
        dim = dims.SingleDim(f"the number of entries ({dim_grammar.show_expr(spec.length)})", None)
        seen = SeenSize(expr, length, dim, self.found.root, path, None, self.found.order)
        seen.depth = self.found.depth
        self.found.part.seen.append(seen)

    def _entries(self, value: Any, spec: EntriesSpec, path: Path, scope: Scope) -> None:
        mapping: dict[Hashable, Any] | None = self._mapping(value, spec, path, spec.container)
        if mapping is None:
            return
        text_keys = [key for key in mapping if key_patterns.int_of(key) is not None]
        if text_keys and len(text_keys) == len(mapping):
            self.found.order += 1
            note = "nnx.restore_int_paths makes them int"
            self.found.add(path, "key", "int keys", f"str keys {text_keys[0]!r}, ...", note)
            mapping = {key_patterns.int_of(key): item for key, item in mapping.items()}
        fields = tuple(
            Field(str(index), index, item)
            for index, item in enumerate(spec.items)
            if item is not None
        )
        self._fields(mapping, fields, spec.extra, path, scope)
        self._depth -= 1

    def _tree(self, value: Any, spec: StateOfSpec, path: Path, scope: Scope, root: Path) -> None:
        if variables.mapping_of(value) is None:
            if path == root:
                expected = f"a state {describe(spec)}"
                self.found.add(path, "container", expected, describe_value(value))
            else:
                self._stretch = len(path) - len(root) - 1
                self._visit(value, spec.leaf, path, scope)
                self._stretch = 0
            return
        mapping = self._mapping(value, spec, path, spec.container)
        for key, item in (mapping or {}).items():
            self._tree(item, spec, (*path, key), scope, root)
        self._depth -= 1

    def _one_of(self, value: Any, spec: Union, path: Path, scope: Scope, outermost: bool) -> None:
        kept, order = self.found.part, self.found.order
        last, depth = order, self._depth
        tried: list[Branch] = []
        for option in spec.options:
            self.found.part, self.found.order = Branch(), order
            self._visit(value, option, path, scope, outermost=outermost)
            self._depth = depth
            last = max(last, self.found.order)
            tried.append(self.found.part)
        self.found.part, self.found.order = kept, last
        fitting = [part for part in tried if not part.violations]
        if fitting:
            kept.take(fitting[0])
        if len(fitting) == 1 or (fitting and not fitting[0].seen):
            kept.seen += fitting[0].seen
        elif fitting:
            kept.seen.append(Choice([part.seen for part in fitting]))
        else:
            self._no_option(value, spec, tried, path)

    def _no_option(self, value: Any, spec: Union, tried: list[Branch], path: Path) -> None:
        """Reports the alternative that got furthest, or that none was of the right kind."""
        where = show_path(path, self.found.root)

        def head(part: Branch) -> bool:
            first = part.violations[0].violation
            return first.path == where and first.code in _HEAD_CODES

        further = [part for part in tried if not head(part)]
        if further:
            best = min(further, key=_distance)
            self.found.part.violations += best.violations
            self.found.part.seen += best.seen
            self.found.part.unknown += best.unknown
            return
        first = tried[0].violations[0].violation
        self.found.add(path, first.code, describe(spec), describe_value(value), first.note)

    def _decide(self, value: Any, spec: Conditional, path: Path, scope: Scope) -> None:
        mapping = variables.mapping_of(value)
        if mapping is not None:
            option = spec.yes if spec.yes is not None else spec.no
            if not isinstance(option, Anything):
                self._visit(value, option or Anything(), path, scope)
                return
            self._stretch += 1  # the filter decides on each leaf of the sub-tree
            for key, item in dict(mapping).items():
                self._decide(item, spec, (*path, key), scope)
            self._stretch -= 1
            return
        keys = path[len(path) - len(spec.path) - self._stretch :]
        option = (
            spec.yes
            if undeclared.ask_filter(self.found, spec.filter, keys, value, path)
            else spec.no
        )
        if option is not None:
            self._visit(value, option, path, scope)
            return
        self.found.order += 1
        wanted = "selected by" if spec.yes is not None else "left out by"
        expected = f"a leaf {wanted} {filters.show_filter(spec.filter)}"
        self.found.add(path, "extra", expected, describe_value(value))

    def _in_place(self, value: Any, spec: ModuleState, path: Path, scope: Scope) -> None:
        if not isinstance(value, spec.cls):
            self.found.order += 1
            self.found.add(path, "container", class_name(spec.cls), describe_value(value))
            return
        tree = modules.module_tree(value)
        self.found.reading().live.add(path)
        self._visit(tree.mapping, spec.inner, path, scope, outermost=True)
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
        self._visit(tree, spec.inner, path, scope, outermost=outermost)

    def _alike(self, value: Any, group: str, path: Path) -> None:
        found = tree_signature.signature_of(value)
        if group not in self.found.groups:
            self.found.groups[group] = (show_path(path, self.found.root), found)
            return
        root, first = self.found.groups[group]
        for keys, code, expected, actual in tree_signature.differences(first, found):
            self.found.order += 1
            where = show_path(keys, root) or "the first"
            self.found.add((*path, *keys), code, f"{expected} as in {where}", actual)

    # -- Leaves --------------------------------------------------------------------------

    def _leaf(self, value: Any, spec: Leaf, path: Path, scope: Scope) -> None:
        found, raw = self.found, value
        found.order += 1
        if spec.kind is not None:
            if type(value) is not spec.kind and not self._is_of_kind(value, spec, spec.kind, path):
                return
            if spec.names is not None:
                arrays.see_names(found, value, spec.names, spec, path)
            raw = variables.raw_value(value)
        count = len(found.part.violations)
        alike = found.sized.get((id(spec.value), variables.aval_of(raw)))
        if alike is not None:  # an array like one that fitted this spec, as by far the most are
            arrays.see_sizes(found, alike[1], path, scope)
        else:
            self._held(value, raw, spec, path, scope)
        if len(found.part.violations) > count:
            return
        if spec.predicates:
            arrays.ask_predicates(found, value, raw, spec.predicates, path)
        if spec.placed is not None and len(found.part.violations) == count:
            arrays.see_placement(found, value, spec, spec.placed, path)

    def _held(self, value: Any, raw: Any, spec: Leaf, path: Path, scope: Scope) -> None:
        """What a Variable holds, or a raw leaf."""
        found = self.found
        if isinstance(spec.value, Anything):
            if spec.kind is None and variables.is_variable(value):
                note = suggestions.value_note(value)
                found.add(path, "array", "a value", describe_value(value), note)
        elif isinstance(spec.value, Partition):  # of a Variable's own mesh, so asked of that
            arrays.see_partition(found, value, spec.value, path, scope)
        else:
            found.shards = arrays.shards_of(value, raw, spec)
            reading = found.reading()
            asked = len(reading.guards)
            self._value(raw, spec.value, path, scope)
            if spec.kind is not None and len(reading.guards) > asked:
                reading.ask_values(path, asked)
            found.shards = None

    def _is_of_kind(self, value: Any, spec: Leaf, wanted: type, path: Path) -> bool:
        """Whether a value is a Variable of a kind; what it is instead is a violation."""
        if not variables.is_variable(value):
            note = suggestions.kind_note(value, spec)
            self.found.add(path, "kind", describe(spec), describe_value(value), note)
            return False
        kind = variables.kind_of(value)
        if kind is wanted or (not spec.exact and issubclass(kind, wanted)):
            return True
        note = suggestions.stale_kind_note(kind, wanted)
        self.found.add(path, "kind", describe(spec), describe_value(value), note)
        return False

    def _leaf_value(
        self, value: Any, spec: Spec, path: Path, scope: Scope, outermost: bool
    ) -> None:
        """A raw leaf of a state, or a value or container of values at a boundary."""
        self.found.order += 1
        around = self.found.shards
        if around is None:  # within a leaf, that of the leaf is known
            self.found.shards = arrays.shards_of(value, value, None)
        self._value(value, spec, path, scope, outermost)
        self.found.shards = around

    def _value(
        self, value: Any, spec: Spec, path: Path, scope: Scope, outermost: bool = False
    ) -> None:
        match spec:
            case Array():
                arrays.see_array(self.found, value, spec, path, scope)
            case Anything():
                return
            case Partition():
                arrays.see_partition(self.found, value, spec, path, scope)
            case NoValue():
                if value is not None:
                    self.found.add(path, "array", "None", describe_value(value))
            case Instance(cls):
                fitting = isinstance(value, cls)
                self.found.ask_again(path, guards.instance_guard(value, cls, fitting))
                if not fitting and not _is_number(value, spec):
                    note = suggestions.value_note(value)
                    self.found.add(path, "array", class_name(cls), describe_value(value), note)
            case Literally(values):
                self._literal(value, values, path)
            case TupleOf():
                self._tuple(value, spec, path, scope, outermost)
            case ItemsOf(cls, item):
                if not isinstance(value, cls):
                    self.found.add(path, "container", describe(spec), describe_value(value))
                    return
                for index, element in enumerate(cast(Iterable[Any], value)):
                    self._visit(element, item, (*path, index), scope, outermost=outermost)
            case MappingOf():
                self._dict(value, spec, path, scope, outermost)
            case RecordOf():
                self._record(value, spec, path, scope)
            case Validated(inner, predicates):
                count = len(self.found.part.violations)
                self._visit(value, inner, path, scope, outermost=outermost)
                if len(self.found.part.violations) == count:
                    arrays.ask_predicates(self.found, value, value, predicates, path)
            case (
                Leaf()
                | Node()
                | Map()
                | EntriesSpec()
                | StateOfSpec()
                | Union()
                | Bound()
                | Argument()
                | Within()
                | ScopedSpec()
                | SameSpec()
                | FlatSpec()
                | Conditional()
                | ModuleState()
            ):
                self._visit(value, spec, path, scope, outermost=outermost)
            case _:
                assert_never(spec)

    def _literal(self, value: Any, values: tuple[Any, ...], path: Path) -> None:
        def among(item: Any) -> bool:
            return any(type(item) is type(one) and item == one for one in values)

        found = among(value)
        self.found.guard(Guard(path, lambda item: among(item) is found))
        if not found:
            self.found.add(path, "array", describe(Literally(values)), describe_value(value))

    def _tuple(self, value: Any, spec: TupleOf, path: Path, scope: Scope, outermost: bool) -> None:
        given: Any = value
        if not isinstance(value, tuple):
            self.found.add(path, "container", describe(spec), describe_value(value))
            return
        if len(given) < len(spec.items) or (spec.rest is None and len(given) > len(spec.items)):
            actual = f"a tuple of {len(given)}"
            self.found.add(path, "container", describe(spec), actual)
            return
        for index, element in enumerate(given):
            inner = spec.items[index] if index < len(spec.items) else spec.rest
            if inner is not None:
                self._visit(element, inner, (*path, index), scope, outermost=outermost)

    def _dict(self, value: Any, spec: MappingOf, path: Path, scope: Scope, outermost: bool) -> None:
        if not isinstance(value, spec.cls):
            self.found.add(path, "container", describe(spec), describe_value(value))
            return
        mapping = dict(cast(Mapping[Any, Any], value))
        if spec.key != Anything():
            self.found.ask_again(path, guards.keys_like(mapping, every=True))
        readings, reading = self.found.readings, self.found.reading()
        for key, item in mapping.items():
            before = len(self.found.part.violations)
            readings[self.found.root] = Trace()  # keys are compared, not asked
            self._visit(key, spec.key, (*path, key), scope)
            readings[self.found.root] = reading
            if len(self.found.part.violations) > before:
                del self.found.part.violations[before:]
                expected = f"{describe(spec.key)} keys"
                self.found.add((*path, key), "key", expected, f"the key {show_key(key)}")
            self._visit(item, spec.value, (*path, key), scope, outermost=outermost)

    def _record(self, record: Any, spec: RecordOf, path: Path, scope: Scope) -> None:
        value, cls = record, spec.cls
        typed_dict = issubclass(cls, dict)
        if not isinstance(record, cls):
            self.found.add(path, "container", class_name(spec.cls), describe_value(value))
            return
        names = [name for name, _ in spec.fields]
        if not typed_dict:
            records = self.found.reading().records
            records[path] = tuple(dict.fromkeys((*records.get(path, ()), *names)))
        for name, item in spec.fields:
            there = name in value if typed_dict else hasattr(value, name)
            child = (*path, name)
            if there:
                element = value[name] if typed_dict else getattr(value, name)
                self._visit(element, item, child, scope)
            elif name in spec.required:
                self.found.add(child, "missing", describe(item), "nothing")
        for key in value if typed_dict else ():
            if key not in names:
                self.found.add((*path, key), "extra", "no such key", describe_value(value[key]))


def _unknown(mapping: Mapping[Hashable, Any], fields: tuple[Field, ...]) -> list[Hashable]:
    """The keys that no field declares."""
    declared = {item.key for item in fields}
    return [key for key in mapping if key not in declared]


def _is_number(value: object, spec: Instance) -> bool:
    """Whether something else than a number of Python's stands for one."""
    if scalars.is_traced_scalar(value, spec.cls):
        return True
    return spec.numpy and scalars.is_numpy_scalar(value, spec.cls)


def _distance(part: Branch) -> tuple[int, int, int]:
    """How far an alternative is from fitting: one that finds other containers is another thing."""
    found = [item.violation for item in part.violations]
    strange = sum(violation.code == "container" for violation in found)
    return strange, len(found), -max(len(violation.keys) for violation in found)


def _as_int(key: object) -> int | None:
    """The int that a key equals: to a dict ``1``, ``True`` and ``1.0`` are one key."""
    if type(key) is int:
        return key if key >= 0 else None
    if isinstance(key, int | float | np.integer | np.floating):
        given: Any = cast(Any, key)
        number = float(given)
        return int(given) if number >= 0 and number.is_integer() else None
    return None
