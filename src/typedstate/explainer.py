"""The explainer: walks a value beside its spec and collects every violation.

This is the only place that decides whether a value fits. The fast path (`replay`) repeats
decisions that were made here; reports, `isinstance` and boundaries read what it returns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from re import Pattern
from typing import Any, Final, cast

import jax
import numpy as np
from flax.nnx import filterlib

from . import dims, filters, leaves, patterns, sharding, skeleton
from .binding import Choice, Observation, Origin, Scope, Seen, Var, settle
from .dims import Axes, Axis, Dim, Expr
from .law import Law, law_of
from .report import Code, Report, Size, Unknown, Violation, show_key, show_path
from .spec import (
    Alike,
    Anything,
    Apart,
    Array,
    Bound,
    Decide,
    Entries,
    Extra,
    Field,
    Guarded,
    InPlace,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    Node,
    NoValue,
    OneOf,
    Partition,
    Path,
    Placed,
    Predicate,
    Record,
    Selection,
    Spec,
    Tree,
    TupleOf,
    class_name,
    describe,
    needs_leaf,
)

_MAX_DEPTH: Final = 200
_MAX_EMPTY: Final = 32
_MAX_GAPS: Final = 100
_MAX_NOTES: Final = 100
#: Specs whose own annotation writes no name: those of a Bind around them stay in force.
_INSIDE: Final = frozenset({Node, Bound, OneOf, Apart, Alike})
_HEAD_CODES: Final = frozenset({"kind", "container", "array"})


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
class _Found:
    order: int
    violation: Violation


@dataclass(slots=True)
class _Part:
    """What one walk, or one alternative of a union, found."""

    violations: list[_Found] = field(default_factory=list[_Found])
    seen: list[Observation] = field(default_factory=list[Observation])
    splits: list[Split] = field(default_factory=list["Split"])


@dataclass(slots=True)
class Explanation:
    """The check of one call: any number of values whose outermost names are shared.

    Attributes:
      given: sizes of outermost names from ``dims=``.
      guards: per root, the decisions that need asking again.
      live: per root, where a live module was read in place.
      repeatable: whether equal keys, classes, dtypes and shapes mean an equal verdict.
    """

    given: Mapping[str, int] = field(default_factory=dict[str, int])
    guards: dict[str, list[Guard]] = field(default_factory=dict[str, list[Guard]])
    live: dict[str, set[Path]] = field(default_factory=dict[str, set[Path]])
    repeatable: bool = True
    unknown: list[Unknown] = field(default_factory=list[Unknown])
    _part: _Part = field(default_factory=_Part)
    _scopes: int = 0
    _apart: dict[str, Scope] = field(default_factory=dict[str, Scope])
    _groups: dict[str, tuple[str, skeleton.Skeleton]] = field(
        default_factory=dict[str, tuple[str, skeleton.Skeleton]]
    )
    _order: int = 0
    _root: str = ""
    _depth: int = 0
    _closed: int = 0
    _empty: list[Spec] = field(default_factory=list[Spec])
    _stretch: int = 0

    def visit(self, value: object, spec: Spec, root: str = "") -> None:
        """Walks one value of the call."""
        self._root = root
        self._depth = self._stretch = 0
        self._empty.clear()
        self.guards.setdefault(root, [])
        try:
            self._visit(value, spec, (), Scope(0), outermost=True)
        except RecursionError:
            self._add((), "container", describe(spec), "a tree nested too deeply to read")

    def after(self) -> Explanation:
        """The same call, for its result; it holds sizes and paths but no value."""
        part = _Part(list(self._part.violations), list(self._part.seen), list(self._part.splits))
        guards = {root: list(found) for root, found in self.guards.items()}
        return Explanation(
            self.given,
            guards,
            dict(self.live),
            self.repeatable,
            list(self.unknown),
            part,
            self._scopes,
            dict(self._apart),
            dict(self._groups),
            self._order,
            _closed=len(part.seen),
        )

    def law(
        self, root: str, places: Mapping[Path, str | None], arrays: Mapping[str, Any]
    ) -> Law | None:
        """The sizes that the value of a call may have, where no other shares its names."""
        if list(self.guards) != [root] or self._closed or self.given or self._groups:
            return None
        split = [split.expr for split in self._part.splits]
        return law_of(self._part.seen, split, places, arrays)

    def report(self, hint: str) -> Report:
        """Settles the names and gives all violations in tree order."""
        given = {Var(0, name): size for name, size in self.given.items()}
        early, late = self._part.seen[: self._closed], self._part.seen[self._closed :]
        sizes, conflicts, open_ = settle((early, late), given)
        found = list(self._part.violations)
        for conflict in conflicts:
            seen, origin = conflict.seen, conflict.seen.origin
            named = any(True for _ in dims.names_of(seen.expr))
            shown = str(seen.size).replace(" ", "")
            where = "" if origin.axis is None else f" on axis {origin.axis}"
            expected = conflict.expected if named else f"{conflict.expected}{where}"
            actual = f"{seen.text} is {shown}" if named else shown
            violation = Violation(
                show_path(origin.path, origin.root),
                "dim" if named else "size",
                expected,
                actual,
                keys=origin.path,
            )
            found.append(_Found(seen.order, violation))
        for split in self._part.splits:
            size = dims.evaluate(split.expr, sizes.known)
            if size is not None and size % split.parts:
                keys, axis = split.origin.path, split.origin.axis
                where = show_path(keys, split.origin.root)
                expected, actual = f"axis {axis} divisible by {split.text}", f"size {size}"
                violation = Violation(where, "sharding", expected, actual, keys=keys)
                found.append(_Found(split.order, violation))
        found.sort(key=lambda item: item.order)
        names: dict[str, Size] = {var.name: n for var, n in sizes.known.items() if var.scope == 0}
        names |= {var.name: run for var, run in sizes.runs.items() if var.scope == 0}
        unknown = list(self.unknown)
        for seen in open_:
            origin = seen.origin
            text = f"{seen.text} of size {seen.size} has open names"
            unknown.append(Unknown(show_path(origin.path, origin.root), text))
        return Report(hint, tuple(item.violation for item in found), names, tuple(unknown))

    # -- Trees ---------------------------------------------------------------------------

    def _visit(
        self, value: Any, spec: Spec, path: Path, scope: Scope, *, outermost: bool = False
    ) -> None:
        if scope.around is not None and type(spec) not in _INSIDE:
            scope = scope.written()
        if type(spec) is Leaf:  # by far the most
            self._leaf(value, spec, path, scope)
            return
        match spec:
            case Anything():
                return
            case Node():
                inner_scope = Scope(scope.number, scope.links) if outermost else self._new_scope()
                self._node(value, spec, path, inner_scope)
            case Bound():
                self._bound(value, spec, path, scope, outermost)
            case Map():
                self._map(value, spec, path, scope)
            case OneOf():
                self._one_of(value, spec, path, scope, outermost)
            case Decide():
                self._decide(value, spec, path, scope)
            case Entries():
                self._entries(value, spec, path, scope)
            case Tree():
                self._tree(value, spec, path, scope, path)
            case Apart(inner, name):
                apart = Scope(self._apart_scope(name).number, scope.links if outermost else {})
                self._visit(value, inner, path, apart, outermost=True)
            case Alike(inner, group):
                self._visit(value, inner, path, scope, outermost=outermost)
                self._alike(value, group, path)
            case InPlace():
                self._in_place(value, spec, path, scope)
            case _:
                self._leaf_value(value, spec, path, scope, outermost)

    def _new_scope(self, links: Mapping[str, Expr[Var]] | None = None) -> Scope:
        self._scopes += 1
        return Scope(self._scopes, links or {})

    def _apart_scope(self, name: str) -> Scope:
        if name not in self._apart:
            self._apart[name] = self._new_scope()
        return self._apart[name]

    def _bound(self, value: Any, spec: Bound, path: Path, scope: Scope, outermost: bool) -> None:
        """Gives the inner names as expressions over the outer ones."""
        number = scope.number if outermost else self._new_scope().number
        around = scope.around if outermost else scope
        links: dict[str, Expr[Var]] = dict(scope.links) if outermost else {}
        outer, inner = scope.written(), spec
        while True:
            linked = {name: dims.substitute(expr, outer.lookup) for name, expr in inner.links}
            links |= linked
            if not isinstance(inner.inner, Bound):
                break
            outer, inner = Scope(outer.number, {**outer.links, **linked}), inner.inner
        self._visit(value, inner.inner, path, Scope(number, links, around), outermost=True)

    def _mapping(
        self, value: Any, spec: Spec, path: Path, container: str
    ) -> dict[Hashable, Any] | None:
        """The keys and values of a sub-state, or a violation where it is none."""
        mapping = leaves.mapping_of(value)
        if mapping is None:
            note = patterns.container_note(value)
            self._add(path, "container", f"a state {describe(spec)}", describe_value(value), note)
            return None
        if container == "state" and path == () and not leaves.is_state(value):
            self._add(path, "container", "an nnx.State", describe_value(value))
        if container == "dict" and leaves.is_state(value):
            note = "nnx.to_pure_dict gives one"
            self._add(path, "container", "a plain dict of values", "an nnx.State", note)
            return None
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RecursionError
        try:
            return dict(mapping)
        except Exception as error:  # a mapping of the user's own, or one that changes meanwhile
            actual = f"a mapping that can't be read ({type(error).__name__})"
            self._add(path, "container", f"a state {describe(spec)}", actual)
            return None

    def _node(self, value: Any, spec: Node, path: Path, scope: Scope) -> None:
        schema = spec.ref.resolve()
        mapping = self._mapping(value, spec, path, schema.container)
        if mapping is None:
            return
        wrapped = patterns.too_deep(mapping, schema)
        if wrapped is not None:
            self._order += 1
            note = "the tree is one level too deep: pass what stands under this key"
            below = (*path, wrapped)
            actual = describe_value(mapping[wrapped])
            self._add(below, "extra", f"the keys of {schema.name}", actual, note)
            self._node(mapping[wrapped], spec, below, scope)
            self._depth -= 1
            return
        declared = {item.key for item in schema.fields}
        unknown = [key for key in mapping if key not in declared]
        for item in schema.fields:
            self._field(mapping, item, path, scope, unknown)
        if unknown:
            self._extras(mapping, unknown, schema.extra, path, scope, schema.fields)
        self._depth -= 1

    def _field(
        self,
        mapping: dict[Hashable, Any],
        item: Field,
        path: Path,
        scope: Scope,
        unknown: list[Hashable],
    ) -> None:
        child = (*path, item.key)
        if item.key in mapping:
            value = mapping[item.key]
            if item.shared is not None:
                note = "Flax keeps a shared Variable at its first path in sorted order"
                expected = f"nothing, as it is shared with {item.shared}"
                self._order += 1
                self._add(child, "extra", expected, describe_value(value), note)
            elif not (value is None and item.optional):
                self._visit(value, item.spec, child, scope)
            return
        if item.optional or item.shared is not None:
            return
        if not needs_leaf(item.spec):
            self._absent(item.spec, child, scope)
            return
        self._order += 1
        note = patterns.missing_note(item.key, unknown) if self._worth_a_note() else ""
        self._add(child, "missing", describe(item.spec), "nothing", note)

    def _worth_a_note(self) -> bool:
        """Whether this violation will be read: looking for the misspelt key takes time."""
        return len(self._part.violations) < _MAX_NOTES

    def _absent(self, spec: Spec, path: Path, scope: Scope) -> None:
        """Flax drops a branch without leaves: it is checked as an empty one, e.g. its length."""
        inner = spec
        while isinstance(inner, Bound | Apart):
            inner = inner.inner
        if not isinstance(inner, Node | Map | Entries) or inner in self._empty:
            return
        if len(self._empty) > _MAX_EMPTY:
            return
        self._order += 1
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
        for key in unknown:
            value, child = mapping[key], (*path, key)
            self._order += 1
            spec = _extra_spec(extra, key)
            if spec is not None:
                self._visit(value, spec, child, scope)
            elif not self._extra_allowed(value, extra, child):
                worth = self._worth_a_note()
                note = patterns.extra_note(key, mapping, fields) if worth else ""
                self._add(child, "extra", "no such key", describe_value(value), note)

    def _extra_allowed(self, value: Any, extra: Extra, path: Path) -> bool:
        """Whether all leaves below an undeclared key are of a kind that may stand anywhere."""
        if not extra.selections and (extra.allow or not extra.kinds):
            return extra.allow
        level = len(path) - 1
        return all(
            (extra.allow or (leaves.is_variable(leaf) and _is_of(leaf, extra.kinds)))
            and all(self._selected(leaf, keys, level, one) for one in extra.selections)
            for keys, leaf in _leaves_below(value, path)
        )

    def _selected(self, leaf: Any, path: Path, level: int, selection: Selection) -> bool:
        keys = path[level - len(selection.path) :]
        return self._ask(selection.filter, keys, leaf, path) is selection.keep

    def _ask(self, filter_: Any, keys: Path, leaf: Any, path: Path) -> bool:
        """What an NNX filter says of a real leaf; a plan asks again."""
        test: Callable[[Any, Any], Any] = filterlib.to_predicate(filter_)
        chosen = bool(test(keys, leaf))
        guard = Guard(path, lambda found: bool(test(keys, found)) == chosen)
        self.guards[self._root].append(guard)
        return chosen

    def _map(self, value: Any, spec: Map, path: Path, scope: Scope) -> None:
        mapping = self._mapping(value, spec, path, spec.container)
        if mapping is None:
            return
        entries: dict[Hashable, Any] = {}
        text_keys: list[str] = []
        unknown: list[Hashable] = []
        for key, item in mapping.items():
            number = _as_int(key) if spec.key == "int" else None
            if number is not None:
                entries[number] = item
            elif spec.key == "str" and isinstance(key, str):
                entries[key] = item
            elif spec.key == "int" and patterns.int_of(key) is not None:
                text_keys.append(str(key))
                entries[patterns.int_of(key)] = item
            else:
                unknown.append(key)
        if text_keys:
            self._order += 1
            note = "nnx.restore_int_paths makes them int"
            shown = ", ".join(repr(key) for key in text_keys[:3])
            more = ", ..." if len(text_keys) > 3 else ""
            self._add(path, "key", "int keys", f"str keys {shown}{more}", note)
        self._entry_keys(unknown, mapping, spec, path, scope)
        for key, item in entries.items():
            self._visit(item, spec.entry, (*path, key), scope)
        if spec.length is not None:
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
            self._order += 1
            extra = spec.extra
            if _extra_spec(extra, key) is not None or self._extra_allowed(
                mapping[key], extra, child
            ):
                continue
            self._add(child, "key", f"{spec.key} keys", f"the key {show_key(key)}")

    def _length(self, entries: dict[Hashable, Any], spec: Map, path: Path, scope: Scope) -> None:
        self._order += 1
        length = len(entries)
        if spec.key == "int" and entries:
            last = max(key for key in entries if isinstance(key, int))
            gaps = (index for index in range(last) if index not in entries)
            if needs_leaf(spec.entry):
                for index in itertools.islice(gaps, _MAX_GAPS):
                    expected = describe(spec.entry)
                    note = "a gap in the keys"
                    self._add((*path, index), "missing", expected, "nothing", note)
            length = last + 1
        self._see_length(spec, length, path, scope)

    def _see_length(self, spec: Map, length: int, path: Path, scope: Scope) -> None:
        if spec.length is None:
            return
        if not needs_leaf(spec.entry):
            return  # the last entries may be absent, so the length can't be seen
        expr = dims.substitute(spec.length, scope.lookup)
        origin = Origin(self._root, path, None)
        text = f"the number of entries ({dims.show(spec.length)})"
        self._part.seen.append(Seen(expr, length, False, text, origin, self._order))

    def _entries(self, value: Any, spec: Entries, path: Path, scope: Scope) -> None:
        mapping: dict[Hashable, Any] | None = self._mapping(value, spec, path, spec.container)
        if mapping is None:
            return
        text_keys = [key for key in mapping if patterns.int_of(key) is not None]
        if text_keys and len(text_keys) == len(mapping):
            self._order += 1
            note = "nnx.restore_int_paths makes them int"
            self._add(path, "key", "int keys", f"str keys {text_keys[0]!r}, ...", note)
            mapping = {patterns.int_of(key): item for key, item in mapping.items()}
        fields = tuple(
            Field(str(index), index, item)
            for index, item in enumerate(spec.items)
            if item is not None
        )
        declared = {item.key for item in fields}
        unknown = [key for key in mapping if key not in declared]
        for item in fields:
            self._field(mapping, item, path, scope, unknown)
        self._extras(mapping, unknown, spec.extra, path, scope, fields)
        self._depth -= 1

    def _tree(self, value: Any, spec: Tree, path: Path, scope: Scope, root: Path) -> None:
        if leaves.mapping_of(value) is None:
            if path == root:
                expected = f"a state {describe(spec)}"
                self._add(path, "container", expected, describe_value(value))
            else:
                self._stretch = len(path) - len(root) - 1
                self._visit(value, spec.leaf, path, scope)
                self._stretch = 0
            return
        mapping = self._mapping(value, spec, path, spec.container)
        for key, item in (mapping or {}).items():
            self._tree(item, spec, (*path, key), scope, root)
        self._depth -= 1

    def _one_of(self, value: Any, spec: OneOf, path: Path, scope: Scope, outermost: bool) -> None:
        kept, order = self._part, self._order
        tried: list[_Part] = []
        for option in spec.options:
            self._part, self._order = _Part(), order
            depth = self._depth
            self._visit(value, option, path, scope, outermost=outermost)
            self._depth = depth
            tried.append(self._part)
        self._part = kept
        fitting = [part for part in tried if not part.violations]
        if fitting:
            kept.splits += fitting[0].splits
        if len(fitting) == 1 or (fitting and not fitting[0].seen):
            kept.seen += fitting[0].seen
        elif fitting:
            kept.seen.append(Choice([part.seen for part in fitting]))
        else:
            self._no_option(value, spec, tried, path)

    def _no_option(self, value: Any, spec: OneOf, tried: list[_Part], path: Path) -> None:
        """Reports the alternative that got furthest, or that none was of the right kind."""
        where = show_path(path, self._root)

        def head(part: _Part) -> bool:
            first = part.violations[0].violation
            return first.path == where and first.code in _HEAD_CODES

        further = [part for part in tried if not head(part)]
        if further:
            best = min(further, key=lambda part: len(part.violations))
            self._part.violations += best.violations
            self._part.seen += best.seen
            return
        first = tried[0].violations[0].violation
        self._add(path, first.code, describe(spec), describe_value(value), first.note)

    def _decide(self, value: Any, spec: Decide, path: Path, scope: Scope) -> None:
        mapping = leaves.mapping_of(value)
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
        option = spec.yes if self._ask(spec.filter, keys, value, path) else spec.no
        if option is not None:
            self._visit(value, option, path, scope)
            return
        self._order += 1
        wanted = "selected by" if spec.yes is not None else "left out by"
        expected = f"a leaf {wanted} {filters.show(spec.filter)}"
        self._add(path, "extra", expected, describe_value(value))

    def _in_place(self, value: Any, spec: InPlace, path: Path, scope: Scope) -> None:
        if not isinstance(value, spec.cls):
            self._order += 1
            self._add(path, "container", class_name(spec.cls), describe_value(value))
            return
        tree = leaves.module_tree(value)
        self.live.setdefault(self._root, set()).add(path)
        self._visit(tree.mapping, spec.inner, path, scope, outermost=True)
        for found in patterns.wrong_shares(spec.inner, tree.shared):
            self._order += 1
            expected = f"the Variable of {found.target}"
            self._add((*path, *found.path), "metadata", expected, f"that of {found.actual}")

    def _alike(self, value: Any, group: str, path: Path) -> None:
        found = skeleton.of(value)
        if group not in self._groups:
            self._groups[group] = (show_path(path, self._root), found)
            return
        root, first = self._groups[group]
        for keys, code, expected, actual in skeleton.differences(first, found):
            self._order += 1
            where = show_path(keys, root) or "the first"
            self._add((*path, *keys), code, f"{expected} as in {where}", actual)

    # -- Leaves --------------------------------------------------------------------------

    def _leaf(self, value: Any, spec: Leaf, path: Path, scope: Scope) -> None:
        self._order += 1
        count = len(self._part.violations)
        if spec.kind is None:
            if isinstance(spec.value, Anything) and leaves.is_variable(value):
                note = patterns.value_note(value)
                self._add(path, "array", "a value", describe_value(value), note)
            self._value(value, spec.value, path, scope)
            if len(self._part.violations) == count:
                self._predicates(value, value, spec.predicates, path)
            if spec.placed is not None and len(self._part.violations) == count:
                self._placement(value, spec.names, spec.placed, path)
            return
        if not leaves.is_variable(value):
            note = patterns.kind_note(value, spec)
            self._add(path, "kind", describe(spec), describe_value(value), note)
            return
        kind = leaves.kind_of(value)
        if kind is not spec.kind and (spec.exact or not issubclass(kind, spec.kind)):
            note = patterns.stale_kind_note(kind, spec.kind)
            self._add(path, "kind", describe(spec), describe_value(value), note)
            return
        if spec.names is not None:
            self._names(value, spec.names, spec.by_dims, path)
        raw = leaves.raw_value(value)
        count = len(self._part.violations)
        if not isinstance(spec.value, Anything):
            self._value(raw, spec.value, path, scope)
        if len(self._part.violations) == count:
            self._predicates(value, raw, spec.predicates, path)
        if spec.placed is not None and len(self._part.violations) == count:
            self._placement(value, spec.names, spec.placed, path)

    def _leaf_value(
        self, value: Any, spec: Spec, path: Path, scope: Scope, outermost: bool
    ) -> None:
        """A raw leaf of a state, or a value or container of values at a boundary."""
        self._order += 1
        self._value(value, spec, path, scope, outermost)

    def _value(
        self, value: Any, spec: Spec, path: Path, scope: Scope, outermost: bool = False
    ) -> None:
        match spec:
            case Array():
                self._array(value, spec, path, scope)
            case Anything():
                return
            case Partition():
                self._partition(value, spec, path, scope)
            case NoValue():
                if value is not None:
                    self._add(path, "array", "None", describe_value(value))
            case Instance(cls):
                if not isinstance(value, cls):
                    note = patterns.value_note(value)
                    self._add(path, "array", class_name(cls), describe_value(value), note)
            case Literally(values):
                self._literal(value, values, path)
            case TupleOf():
                self._tuple(value, spec, path, scope, outermost)
            case ItemsOf(cls, item):
                if not isinstance(value, cls):
                    self._add(path, "container", describe(spec), describe_value(value))
                    return
                for index, element in enumerate(cast(Iterable[Any], value)):
                    self._visit(element, item, (*path, index), scope, outermost=outermost)
            case MappingOf():
                self._dict(value, spec, path, scope, outermost)
            case Record():
                self._record(value, spec, path, scope)
            case Guarded(inner, predicates):
                count = len(self._part.violations)
                self._visit(value, inner, path, scope, outermost=outermost)
                if len(self._part.violations) == count:
                    self._predicates(value, value, predicates, path)
            case _:
                self._visit(value, spec, path, scope, outermost=outermost)

    def _array(self, value: Any, spec: Array, path: Path, scope: Scope) -> None:
        if leaves.is_variable(value):
            note = patterns.value_note(value)
            self._add(path, "array", describe(spec), describe_value(value), note)
            return
        if not _is_of_array_class(value, spec) or not leaves.is_shaped(value):
            note = patterns.array_note(value, spec)
            self._add(path, "array", describe(spec), describe_value(value), note)
            return
        if spec.dtypes is not None and not _has_dtype(value.dtype, spec.dtypes):
            note = patterns.dtype_note(spec.dtype, value)
            self._add(path, "dtype", f"dtype {spec.dtype}", describe_value(value), note)
        if spec.shape is not None:
            self._shape(tuple(value.shape), spec, path, scope)

    def _shape(self, shape: tuple[Any, ...], spec: Array, path: Path, scope: Scope) -> None:
        wanted = spec.shape or ()
        run, local = None, scope
        for index, dim in enumerate(wanted):
            if isinstance(dim, Axes):
                run = index
            if dim.per_leaf and local is scope:
                local = self._new_scope()
        if len(shape) != len(wanted) and (run is None or len(shape) < len(wanted) - 1):
            count = len(wanted) if run is None else f"at least {len(wanted) - 1}"
            text = dims.show_shape(wanted)
            expected = f'rank {count} ("{text}")'
            self._add(path, "rank", expected, f"shape {shape}")
            return
        skip = 0
        for index, dim in enumerate(wanted):
            of = local if dim.per_leaf else scope
            if isinstance(dim, Axes):
                skip = len(shape) - len(wanted)
                self._see_run(dim, shape[index : index + skip + 1], of, path, index)
            else:
                self._see(dim, shape[index + skip], of, path, index + skip)

    def _see(self, dim: Axis, size: Any, scope: Scope, path: Path, axis: int) -> None:
        if dim.expr is None:
            return
        if type(size) is not int and not isinstance(size, int):  # a symbolic size of jax.export
            where = show_path(path, self._root)
            self.unknown.append(Unknown(where, f"axis {axis} is symbolic"))
            return
        expr = dims.substitute(dim.expr, scope.lookup)
        origin = Origin(self._root, path, axis)
        seen = Seen(expr, size, dim.broadcast, dim.text, origin, self._order)
        self._part.seen.append(seen)

    def _see_run(
        self, dim: Axes, sizes: tuple[Any, ...], scope: Scope, path: Path, axis: int
    ) -> None:
        if dim.name is None or not all(isinstance(size, int) for size in sizes):
            return
        expr = scope.lookup(dim.name)
        origin = Origin(self._root, path, axis)
        seen = Seen(expr, sizes, dim.broadcast, f"*{dim.name}", origin, self._order)
        self._part.seen.append(seen)

    def _names(self, value: Any, wanted: tuple[Any, ...], by_dims: bool, path: Path) -> None:
        verdict = sharding.ask("names", value, wanted, given=by_dims)
        asked = sharding.question("names", wanted, None, by_dims, None, verdict)
        self._judge(verdict, Guard(path, asked))

    def _placement(
        self, value: Any, names: tuple[Any, ...] | None, placed: Placed, path: Path
    ) -> None:
        verdict = sharding.ask("placement", value, names, placed.rules)
        asked = sharding.question("placement", names, placed.rules, False, None, verdict)
        self._judge(verdict, Guard(path, asked))

    def _partition(self, value: Any, spec: Partition, path: Path, scope: Scope) -> None:
        """A PartitionSpec or NamedSharding, against the array for which it stands."""
        if not isinstance(value, spec.cls):
            note = patterns.value_note(value)
            self._add(path, "array", class_name(spec.cls), describe_value(value), note)
            return
        shape = spec.shape
        fixed = shape is not None and not any(isinstance(dim, Axes) for dim in shape)
        rank = len(shape) if shape is not None and fixed else None
        verdict = sharding.ask("partition", value, spec.names, rank=rank)
        asked = sharding.question("partition", spec.names, None, False, rank, verdict)
        self._judge(verdict, Guard(path, asked))
        if verdict.outcome != "mismatch" and shape is not None and fixed:
            self._splits(value, shape, path, scope)

    def _splits(self, value: Any, shape: tuple[Dim, ...], path: Path, scope: Scope) -> None:
        """Names that a mesh has, each once; sizes that its axes divide, once they are known."""
        for expected, actual in sharding.misfits(value, len(shape)):
            self._add(path, "sharding", expected, actual)
        for axis, parts, text in sharding.divisors(value):
            dim = shape[axis]
            if isinstance(dim, Axis) and dim.expr is not None:
                expr = dims.substitute(dim.expr, scope.lookup)
                origin = Origin(self._root, path, axis)
                self._part.splits.append(Split(expr, parts, text, origin, self._order))
        asked = sharding.divisors(value)
        guard = Guard(path, lambda leaf: sharding.divisors(leaf) == asked)
        self.guards[self._root].append(guard)

    def _judge(self, verdict: sharding.Verdict, guard: Guard) -> None:
        """Records what was seen of a placement, or why it can't be seen."""
        path = guard.path
        self.guards[self._root].append(guard)
        if verdict.outcome == "mismatch":
            self._add(path, "sharding", verdict.expected, verdict.actual, verdict.note)
        elif verdict.outcome == "unknown":
            text = f"{verdict.actual} ({verdict.expected})"
            self.unknown.append(Unknown(show_path(path, self._root), text))

    def _predicates(
        self, leaf: Any, value: Any, predicates: tuple[Predicate, ...], path: Path
    ) -> None:
        for predicate in predicates:
            answer = _answer(predicate, value)
            guard = Guard(path, _predicate_guard(predicate, leaf is not value, answer))
            self.guards[self._root].append(guard)
            if answer is not True:
                actual = f"{answer} from it" if answer else describe_value(leaf)
                self._add(path, "predicate", predicate.text, actual)

    def _literal(self, value: Any, values: tuple[Any, ...], path: Path) -> None:
        found = any(type(value) is type(item) and value == item for item in values)
        self.repeatable = False  # equal classes do not make equal values
        if not found:
            self._add(path, "array", describe(Literally(values)), describe_value(value))

    def _tuple(self, value: Any, spec: TupleOf, path: Path, scope: Scope, outermost: bool) -> None:
        given: Any = value
        if not isinstance(value, tuple):
            self._add(path, "container", describe(spec), describe_value(value))
            return
        if len(given) < len(spec.items) or (spec.rest is None and len(given) > len(spec.items)):
            actual = f"a tuple of {len(given)}"
            self._add(path, "container", describe(spec), actual)
            return
        for index, element in enumerate(given):
            inner = spec.items[index] if index < len(spec.items) else spec.rest
            if inner is not None:
                self._visit(element, inner, (*path, index), scope, outermost=outermost)

    def _dict(self, value: Any, spec: MappingOf, path: Path, scope: Scope, outermost: bool) -> None:
        if not isinstance(value, spec.cls):
            self._add(path, "container", describe(spec), describe_value(value))
            return
        for key, item in dict(cast(Mapping[Any, Any], value)).items():
            before = len(self._part.violations)
            self._visit(key, spec.key, (*path, key), scope)
            if len(self._part.violations) > before:
                del self._part.violations[before:]
                expected = f"{describe(spec.key)} keys"
                self._add((*path, key), "key", expected, f"the key {show_key(key)}")
            self._visit(item, spec.value, (*path, key), scope, outermost=outermost)

    def _record(self, record: Any, spec: Record, path: Path, scope: Scope) -> None:
        value, cls = record, spec.cls
        typed_dict = issubclass(cls, dict)
        if not isinstance(record, cls):
            self._add(path, "container", class_name(spec.cls), describe_value(value))
            return
        if not typed_dict and not isinstance(record, tuple):
            self.repeatable = False
        names = [name for name, _ in spec.fields]
        for name, item in spec.fields:
            there = name in value if typed_dict else hasattr(value, name)
            child = (*path, name)
            if there:
                element = value[name] if typed_dict else getattr(value, name)
                self._visit(element, item, child, scope)
            elif name in spec.required:
                self._add(child, "missing", describe(item), "nothing")
        for key in value if typed_dict else ():
            if key not in names:
                self._add((*path, key), "extra", "no such key", describe_value(value[key]))

    def _add(self, path: Path, code: Code, expected: str, actual: str, note: str = "") -> None:
        violation = Violation(show_path(path, self._root), code, expected, actual, note, path)
        self._part.violations.append(_Found(self._order, violation))


def _answer(predicate: Predicate, value: Any) -> bool | str:
    """What a predicate says: yes, no, or the name of what it raised."""
    try:
        return bool(predicate.test(value))
    except Exception as error:  # the user's own code, often on a value it can't read
        return type(error).__name__


def _predicate_guard(
    predicate: Predicate, of_variable: bool, answer: bool | str
) -> Callable[[Any], bool]:
    if of_variable:
        return lambda leaf: _answer(predicate, leaves.raw_value(leaf)) == answer
    return lambda leaf: _answer(predicate, leaf) == answer


def _is_of(leaf: Any, kinds: tuple[type, ...]) -> bool:
    return issubclass(leaves.kind_of(leaf), kinds)


def _leaves_below(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    mapping = leaves.mapping_of(value)
    if mapping is None:
        yield path, value
    else:
        for key, item in dict(mapping).items():
            yield from _leaves_below(item, (*path, key))


def _extra_spec(extra: Extra, key: Hashable) -> Spec | None:
    for pattern, spec in extra.patterns:
        if patterns.matches(pattern, key):
            return spec
    return None


def _as_int(key: object) -> int | None:
    """The int that a key equals: to a dict ``1``, ``True`` and ``1.0`` are one key."""
    if type(key) is int:
        return key if key >= 0 else None
    if isinstance(key, int | float | np.integer | np.floating):
        given: Any = cast(Any, key)
        number = float(given)
        return int(given) if number >= 0 and number.is_integer() else None
    return None


def _is_of_array_class(value: Any, spec: Array) -> bool:
    if spec.abstract:
        return isinstance(value, jax.ShapeDtypeStruct)
    if isinstance(value, jax.ShapeDtypeStruct):
        return spec.cls is not None and issubclass(spec.cls, jax.ShapeDtypeStruct)
    if spec.cls is None or isinstance(value, spec.cls):
        return True
    return issubclass(spec.cls, jax.Array) and leaves.stands_for_array(value)


def dtype_name(dtype: Any) -> str:
    """A dtype by the name that jaxtyping gives it: ``float32``, ``prng_key``."""
    scalar = getattr(dtype, "type", None)
    name = getattr(scalar, "__name__", None) or str(dtype).rsplit(".", 1)[-1]
    if name == "void" and getattr(dtype, "names", None):
        return str(dtype)
    return "bool" if name == "bool_" else name


@lru_cache(maxsize=1024)
def _has_dtype(dtype: Any, wanted: tuple[str | Pattern[str], ...]) -> bool:
    name = dtype_name(dtype)
    return any(
        name == item or (name == "bool" and item == "bool_")
        if isinstance(item, str)
        else item.match(name) is not None
        for item in wanted
    )


def describe_value(value: object) -> str:
    """A value by class, dtype and shape, never by its contents."""
    if leaves.is_variable(value):
        return f"{leaves.kind_of(value).__name__} {describe_value(leaves.raw_value(value))}"
    if isinstance(value, jax.ShapeDtypeStruct):
        return f"ShapeDtypeStruct {_show_array(value)}"
    if isinstance(value, np.ndarray):
        return f"numpy {_show_array(value)}"
    if leaves.is_reference(value):
        return f"Ref {_show_array(value)}"
    if isinstance(value, jax.Array):
        return _show_array(value)
    mapping = leaves.mapping_of(value)
    if mapping is not None:
        return _describe_mapping(mapping, "a state" if leaves.is_state(value) else "a dict")
    return "None" if value is None else type(value).__name__


def _describe_mapping(mapping: Mapping[Hashable, Any], of: str) -> str:
    try:
        keys = [show_key(key) for key in itertools.islice(mapping, 5)]
    except Exception:  # a mapping of the user's own, or one that changes meanwhile
        return f"{of} that can't be read"
    more = ", ..." if len(keys) > 4 else ""
    return f"{of} with keys {', '.join(keys[:4])}{more}" if keys else f"{of} without keys"


def _show_array(value: Any) -> str:
    try:
        return f"{dtype_name(value.dtype)}[{','.join(map(str, value.shape))}]"
    except Exception:  # a value that only looks like an array
        return type(value).__name__
