"""Levels whose keys are not fields: the entries of a map or list, and trees of like leaves."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

import numpy as np

from .._compat import variables
from .._spec.describe import describe
from .._spec.nodes import Anything, EntriesSpec, Field, Map, StateOfSpec
from .._spec.questions import needs_leaf
from ..report import Path, show_key
from . import counts, guards, key_patterns, suggestions, undeclared
from .levels import enter, see_fields
from .repeats import Repeats
from .scopes import Scope
from .show_value import describe_value
from .walker import Walker


def see_map(walk: Walker, value: Any, spec: Map, path: Path, scope: Scope) -> None:
    """Walks the entries of a map or list: all are like one spec."""
    mapping = enter(walk, value, spec, path, spec.container)
    if mapping is None:
        return
    walk.found.ask_again(path, guards.keys_like(mapping, every=True))
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
        walk.found.order += 1
        shown = ", ".join(repr(key) for key in text_keys[:3])
        more = ", ..." if len(text_keys) > 3 else ""
        walk.found.add(path, "key", "int keys", f"str keys {shown}{more}", suggestions.TEXT_KEYS)
    before, order = len(walk.found.part.violations), walk.found.order
    _entry_keys(walk, unknown, mapping, spec, path, scope)
    is_whole = len(walk.found.part.violations) == before
    repeats = Repeats(walk, spec, len(entries), scope)
    for key, item in entries.items():
        child = (*path, key)
        walk.occurrences.entry = child
        repeats.see(item, child)
    if spec.length is not None or spec.key == "int":
        is_whole &= _length(walk, entries, spec, path, scope)
    if is_whole:  # else which entries are meant is not known
        walk.occurrences.note_entries(((key,) for key in entries), spec.entry, path, order=order)
    walk.depth -= 1


def _as_int(key: object) -> int | None:
    """The int that a key equals: to a dict ``1``, ``True`` and ``1.0`` are one key."""
    if type(key) is int:
        return key if key >= 0 else None
    if isinstance(key, int | float | np.integer | np.floating):
        given: Any = cast(Any, key)
        number = float(given)
        return int(given) if number >= 0 and number.is_integer() else None
    return None


def _entry_keys(
    walk: Walker,
    unknown: list[Hashable],
    mapping: dict[Hashable, Any],
    spec: Map,
    path: Path,
    scope: Scope,
) -> None:
    """Refuses keys of another class than the entries have, but for those that `extra` allows."""
    stacked = suggestions.stacked_note(mapping, spec) if unknown else ""
    for key in unknown:
        child = (*path, key)
        walk.found.order += 1
        extra = spec.extra
        if key_patterns.pattern_spec(extra, key) is not None or undeclared.allowed(
            walk.found, mapping[key], extra, child
        ):
            continue
        note = suggestions.INT_KEYS if spec.key == "str" and _as_int(key) is not None else stacked
        walk.found.add(child, "key", f"{spec.key} keys", f"the key {show_key(key)}", note)


def _length(
    walk: Walker, entries: dict[Hashable, Any], spec: Map, path: Path, scope: Scope
) -> bool:
    """Refuses gaps between int keys, and observes the number of entries; whether there is none."""
    walk.found.order += 1
    length = len(entries)
    if spec.key == "int":
        numbers = {key for key in entries if isinstance(key, int)}
        length = counts.see_numbers(walk, numbers, spec.entry, path, lambda number: number)
    if not needs_leaf(spec.entry):
        return True  # the last entries may be absent, so the length can't be seen
    if spec.length is not None:
        absent = describe(spec) if walk.empty else ""
        counts.see_length(walk, spec.length, length, path, scope, absent)
    return length == len(entries)


def see_entries(walk: Walker, value: Any, spec: EntriesSpec, path: Path, scope: Scope) -> None:
    """Walks a level whose int keys have specs of their own."""
    mapping: dict[Hashable, Any] | None = enter(walk, value, spec, path, spec.container)
    if mapping is None:
        return
    text_keys = [key for key in mapping if key_patterns.int_of(key) is not None]
    if text_keys and len(text_keys) == len(mapping):
        walk.found.order += 1
        actual = f"str keys {text_keys[0]!r}, ..."
        walk.found.add(path, "key", "int keys", actual, suggestions.TEXT_KEYS)
        mapping = {key_patterns.int_of(key): item for key, item in mapping.items()}
    fields = tuple(
        Field(str(index), index, item) for index, item in enumerate(spec.items) if item is not None
    )
    see_fields(walk, mapping, fields, spec.extra, path, scope)
    walk.depth -= 1


def see_state_of(walk: Walker, value: Any, spec: StateOfSpec, path: Path, scope: Scope) -> None:
    """Walks a tree of any depth, whose leaves are like one spec."""
    order, leaves = walk.found.order, list[Path]()
    _see_tree(walk, value, spec, path, scope, path, leaves)
    if not isinstance(spec.leaf, Anything):
        keys = (leaf[len(path) :] for leaf in leaves)
        walk.occurrences.note_entries(keys, spec.leaf, path, "tree", order)


def _see_tree(
    walk: Walker,
    value: Any,
    spec: StateOfSpec,
    path: Path,
    scope: Scope,
    root: Path,
    leaves: list[Path],
) -> None:
    if variables.mapping_of(value) is None:
        if path == root:
            expected = f"a state {describe(spec)}"
            walk.found.add(path, "container", expected, describe_value(value))
        else:
            walk.stretch = len(path) - len(root) - 1
            walk.below(value, spec.leaf, path, scope)
            walk.stretch = 0
            leaves.append(path)
        return
    mapping = enter(walk, value, spec, path, spec.container)
    for key, item in (mapping or {}).items():
        _see_tree(walk, item, spec, (*path, key), scope, root, leaves)
    walk.depth -= 1
