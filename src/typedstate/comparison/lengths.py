"""How many like entries a level has: the lengths of maps, the counts of patterns of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._spec.dims import Fixed, evaluate, substitute
from .._spec.node_groups import WrapperSpec
from .._spec.nodes import EntriesSpec, KeyPattern, Map, Node, Spec, StateOfSpec, Union
from .._spec.questions import needs_leaf
from .._validation import key_patterns
from .._validation.opening import At
from ..report import Path
from .levels import Level

if TYPE_CHECKING:
    from .containment import Containment


def compare(to: Containment, a: At, b: At, path: Path) -> None:
    """Whether the numbers of entries that `a` allows are among those of `b`; else says why not."""
    assert isinstance(a.spec, Node | Map | EntriesSpec | StateOfSpec)
    assert isinstance(b.spec, Node | Map | EntriesSpec | StateOfSpec)
    one, other = Level.of(a.spec), Level.of(b.spec)
    _length(to, a, b, one, other, path)
    for pattern in other.extra.patterns:
        _count(to, a, b, one, pattern, (*path, pattern.keys))


def decides_absence(spec: Spec) -> bool:
    """Whether a tree may be absent only where other sizes say that it has no entries."""
    match spec:
        case WrapperSpec():
            return decides_absence(spec.inner)
        case Union(options):
            return all(needs_leaf(option) or decides_absence(option) for option in options)
        case Map(entry=entry, length=length):
            return length is not None and needs_leaf(entry)
        case _:
            return False


def _length(to: Containment, a: At, b: At, one: Level, other: Level, path: Path) -> None:
    if other.length is None or other.entry is None or not needs_leaf(other.entry):
        return
    expr = substitute(other.length, b.scope.lookup)
    if one.entry is None:
        keys = [key for key in one.fields if isinstance(key, int)]
        if other.keys == "int" and keys and set(keys) != set(range(max(keys) + 1)):
            to.add(path, "missing", "entries without a gap", f"the keys {sorted(keys)}")
        sure = not any(item.optional for item in one.fields.values())
        to.equate(Fixed(len(one.fields)), expr, path, "length", sure=sure)
    elif one.length is None or not needs_leaf(one.entry):
        to.add(path, "size", "a number of entries", "any number of entries")
    else:
        to.equate(substitute(one.length, a.scope.lookup), expr, path, "length")


def _count(to: Containment, a: At, b: At, one: Level, pattern: KeyPattern, path: Path) -> None:
    if pattern.length is None or not needs_leaf(pattern.entry):
        return
    expr = substitute(pattern.length, b.scope.lookup)
    lengths = {item.keys: item.length for item in one.extra.patterns}
    length = lengths.get(pattern.keys)
    if length is not None:
        to.equate(substitute(length, a.scope.lookup), expr, path, "length")
        return
    if pattern.keys in lengths:
        to.add(path, "size", "a number of entries", "any number of entries")
        return
    keys = [(key_patterns.number_of(pattern.keys, key), key) for key in one.fields]
    fields = {number: one.fields[key] for number, key in keys if number is not None}
    if set(fields) != set(range(len(fields))):
        to.add(path, "missing", "entries without a gap", f"the numbers {sorted(fields)}")
    elif len(fields) >= (evaluate(pattern.length, {}) or 0):  # else each of them is missing
        sure = bool(fields) and not any(item.optional for item in fields.values())
        to.equate(Fixed(len(fields)), expr, path, "length", sure=sure)
