"""How many like entries a level has: gaps between their numbers, and the dim that counts them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any, Final

from .._spec import dim_grammar, dims
from .._spec.describe import describe
from .._spec.dims import Expr
from .._spec.nodes import Extra, KeyPattern, Spec
from .._spec.questions import needs_leaf
from ..report import Path
from . import key_patterns
from .dim_binding import SeenSize
from .scopes import Scope
from .walker import Walker

_MAX_GAPS: Final = 100


def see_numbers(
    walk: Walker,
    numbers: Collection[int],
    entry: Spec,
    path: Path,
    key_of: Callable[[int], Hashable],
) -> int:
    """Refuses gaps between the numbers of entries, which start at 0; gives how many there are."""
    length = 1 + max(numbers, default=-1)
    if length > len(numbers) and needs_leaf(entry):
        gaps = (number for number in range(length) if number not in numbers)
        for number in itertools.islice(gaps, _MAX_GAPS):
            note = "a gap in the keys"
            walk.found.add((*path, key_of(number)), "missing", describe(entry), "nothing", note)
    return length


def see_length(
    walk: Walker, length: Expr[str], count: int, path: Path, scope: Scope, absent: str
) -> None:
    """Observes the number of entries; `absent` is what is not there where that says nothing."""
    expr = dims.substitute(length, scope.lookup)
    dim = dims.SingleDim(f"the number of entries ({dim_grammar.show_expr(length)})", None)
    seen = SeenSize(expr, count, dim, walk.found.root, path, None, walk.found.order)
    seen.depth = walk.found.depth
    seen.absent = absent
    walk.found.part.seen.append(seen)


def see_patterns(
    walk: Walker, mapping: Mapping[Hashable, Any], extra: Extra, path: Path, scope: Scope
) -> None:
    """Notes the keys of each pattern, and counts those of one that states how many there are."""
    for pattern in extra.patterns:
        keys = [key for key in mapping if key_patterns.pattern_of(extra, key) is pattern]
        if pattern.length is None or not needs_leaf(pattern.entry):
            _note(walk, keys, pattern, path)
            continue
        walk.found.order += 1
        numbers = _numbers(pattern, keys)
        count = see_numbers(walk, numbers, pattern.entry, path, pattern.key_of)
        if count == len(numbers):
            _note(walk, keys, pattern, path)
        named = any(True for _ in dims.names_of(pattern.length))
        absent = describe(pattern.entry) if named and not count else ""
        see_length(walk, pattern.length, count, (*path, pattern.keys), scope, absent)


def _note(walk: Walker, keys: Iterable[Hashable], pattern: KeyPattern, path: Path) -> None:
    """What other uses of a type argument are compared with; of a gap a report speaks already."""
    below = ((key,) for key in keys)
    walk.occurrences.note_entries(below, pattern.entry, (*path, pattern.keys), "pattern")


def _numbers(pattern: KeyPattern, keys: Iterable[Hashable]) -> set[int]:
    found = (key_patterns.number_of(pattern.keys, key) for key in keys)
    return {number for number in found if number is not None}
