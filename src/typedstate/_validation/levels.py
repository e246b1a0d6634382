"""Walks a level of a state: compares its keys with the declared ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

from .._compat import variables
from .._spec import filters, flat_trees
from .._spec.describe import describe
from .._spec.node_groups import WrapperSpec
from .._spec.nodes import (
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    Leaf,
    Map,
    Node,
    NoValue,
    SchemaRef,
    Spec,
    Union,
)
from .._spec.questions import needs_leaf
from ..report import Path, show_key
from . import counts, guards, key_patterns, optimizer_make, suggestions, undeclared
from .causes import Mistake, Note
from .findings import Findings
from .moments import moments_of
from .scopes import Scope
from .show_value import describe_value
from .uses import Presence
from .walker import Walker

_MAX_DEPTH: Final = 200
_MAX_EMPTY: Final = 32


def enter(
    walk: Walker, value: Any, spec: Spec, path: Path, container: str
) -> dict[Hashable, Any] | None:
    """The keys and values of a level; None, and a violation, if the value has no level."""
    mapping = variables.mapping_of(value)
    if mapping is None:
        note = suggestions.container_note(value, spec)
        walk.found.add(path, "container", f"a state {describe(spec)}", describe_value(value), note)
        return None
    if container == "state" and not path and not variables.is_state(value):
        walk.found.add(path, "container", "an nnx.State", describe_value(value))
    if container == "dict" and variables.is_state(value):
        note = "nnx.to_pure_dict gives one"
        walk.found.add(path, "container", "a plain dict of values", "an nnx.State", note)
        return None
    walk.depth += 1
    if walk.depth > _MAX_DEPTH:
        raise RecursionError
    try:
        return dict(mapping)
    except Exception as error:  # a mapping of the user's own, or one that changes meanwhile
        actual = f"a mapping that can't be read ({type(error).__name__})"
        walk.found.add(path, "container", f"a state {describe(spec)}", actual)
        return None


def see_node(walk: Walker, value: Any, spec: Node, path: Path, scope: Scope) -> None:
    """Walks one level that a schema describes."""
    schema = spec.ref.resolve()
    mapping = enter(walk, value, spec, path, schema.container)
    if mapping is None:
        return
    found = flat_trees.unflattened(mapping, spec.ref)
    if found is not None:
        walk.found.order += 1
        note = suggestions.flat_note(found[0].separator)
        expected = f"a nested tree {describe(spec)}"
        actual = f"a flat one with keys such as {show_key(next(iter(mapping)))}"
        walk.found.add(path, "container", expected, actual, note)
        mapping = found[1]
    wrapped = suggestions.too_deep(mapping, schema) if len(mapping) == 1 else None
    if wrapped is not None:
        walk.found.order += 1
        note = "the tree is one level too deep: pass what stands under this key"
        below = (*path, wrapped)
        actual = describe_value(mapping[wrapped])
        walk.found.add(below, "extra", f"the keys of {schema.name}", actual, note)
        see_node(walk, mapping[wrapped], spec, below, scope)
        walk.depth -= 1
        return
    see_fields(walk, mapping, schema.fields, schema.extra, path, scope, spec.ref)
    walk.depth -= 1
    if optimizer_make.KEY in mapping:
        _note_optimizer(walk.found, mapping[optimizer_make.KEY], (*path, optimizer_make.KEY))


def _note_optimizer(found: Findings, kept: Any, path: Path) -> None:
    """Keeps what a report says of an optimizer: which one it is, and where its moments are."""
    found.moments[found.root, path] = moments_of(kept)
    make = optimizer_make.make_of(kept) if found.part.violations else None
    if make is not None:
        found.makes[found.root, path] = make


def see_fields(
    walk: Walker,
    mapping: dict[Hashable, Any],
    fields: tuple[Field, ...],
    extra: Extra,
    path: Path,
    scope: Scope,
    ref: SchemaRef | None = None,
) -> None:
    """Walks the declared keys of a level, then its undeclared ones."""
    there = 0
    for item in fields:
        if item.optional:
            _note_presence(walk, mapping.get(item.key) is not None, item, (*path, item.key))
        if item.key in mapping:
            there += 1
            value = mapping[item.key]
            if item.shared is not None:
                _twice(walk, value, item, (*path, item.key))
            elif value is not None or not item.optional:
                if isinstance(item.spec, Leaf):  # at once, as most fields are
                    walk.leaf(value, item.spec, (*path, item.key), scope)
                else:
                    walk.below(value, item.spec, (*path, item.key), scope)
        elif not item.optional and item.shared is None:
            _missing(walk, mapping, item, fields, (*path, item.key), scope)
    if there < len(mapping):
        unknown = _unknown(mapping, fields)
        _extras(walk, mapping, unknown, extra, path, scope, fields, ref)
    if extra.patterns:
        declared = {item.key for item in fields}
        others = {key: item for key, item in mapping.items() if key not in declared}
        counts.see_patterns(walk, others, extra, path, scope)


def _twice(walk: Walker, value: Any, item: Field, path: Path) -> None:
    """A Variable that stands at its first path already."""
    note = "Flax keeps a shared Variable at its first path in sorted order"
    expected = f"nothing, as it is shared with {item.shared}"
    walk.found.order += 1
    walk.found.add(path, "extra", expected, describe_value(value), note)


def _missing(
    walk: Walker,
    mapping: dict[Hashable, Any],
    item: Field,
    fields: tuple[Field, ...],
    child: Path,
    scope: Scope,
) -> None:
    """Adds a violation for an absent key, unless Flax drops its branch for having no leaves."""
    spec = filters.surely(item.spec, child)
    if spec is None:
        return
    undecided = next(_undecided(spec), None)
    if undecided is not None:
        undeclared.see_undecided(walk.found, undecided, child)
        return
    if not needs_leaf(spec):
        _absent(walk, spec, child, scope)
        return
    walk.found.order += 1
    worth = walk.found.worth_a_note()
    note = suggestions.missing_note(item.key, _unknown(mapping, fields)) if worth else ""
    walk.found.add(child, "missing", walk.found.describe(spec), "nothing", note)


def _undecided(spec: Spec) -> Iterator[Conditional]:
    """Yields the decisions of filters by which a leaf may be absent, if nothing else lets it."""
    options = spec.options if isinstance(spec, Union) else (spec,)
    if NoValue() in options:
        return
    for option in options:
        while isinstance(option, WrapperSpec):
            option = option.inner
        if isinstance(option, Conditional) and not needs_leaf(option):
            yield option


def _unknown(mapping: Mapping[Hashable, Any], fields: tuple[Field, ...]) -> list[Hashable]:
    """The keys that no field declares."""
    declared = {item.key for item in fields}
    return [key for key in mapping if key not in declared]


def _note_presence(walk: Walker, there: bool, item: Field, path: Path) -> None:
    """An optional leaf is there in all uses of a type argument, or in none."""
    if walk.occurrences.tree_at is None or item.decided or isinstance(item.spec, Conditional):
        return
    tree, depth = walk.occurrences.tree_at
    found = walk.found
    seen = Presence(tree, path[depth:], there, found.root, path, found.order, item.spec)
    walk.found.part.present.append(seen)


def _absent(walk: Walker, spec: Spec, path: Path, scope: Scope) -> None:
    """Flax drops a branch without leaves: it is checked as an empty one, e.g. its length."""
    inner = spec
    while isinstance(inner, WrapperSpec):
        inner = inner.inner
    if not isinstance(inner, Node | Map | EntriesSpec | Union) or inner in walk.empty:
        return
    if len(walk.empty) > _MAX_EMPTY:
        return
    walk.found.order += 1
    walk.empty.append(inner)
    walk.below({}, spec, path, scope)
    walk.empty.pop()


def _extras(
    walk: Walker,
    mapping: dict[Hashable, Any],
    unknown: list[Hashable],
    extra: Extra,
    path: Path,
    scope: Scope,
    fields: tuple[Field, ...],
    ref: SchemaRef | None,
) -> None:
    """Walks the values under keys that no field declares."""
    if extra.patterns:
        every = len(unknown) == len(mapping)
        walk.found.ask_again(path, guards.keys_like(unknown, every))
    for key in unknown:
        value, child = mapping[key], (*path, key)
        walk.found.order += 1
        spec = key_patterns.pattern_spec(extra, key)
        if spec is not None:
            walk.below(value, spec, child, scope)
        elif not undeclared.allowed(walk.found, value, extra, child):
            expected, note = "no such key", Note()
            if walk.found.worth_a_note():
                if left_out := suggestions.left_out(ref, key):
                    expected, note = left_out, Note("", Mistake.WHOLE_TREE)
                else:
                    note = suggestions.extra_note(key, mapping, fields)
            walk.found.add(child, "extra", expected, describe_value(value), note)
