"""Alternatives: a union, of which the value decides, and a form's field that a filter decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from .._compat import variables
from .._spec import filters
from .._spec.describe import describe
from .._spec.node_groups import ValueSpec
from .._spec.nodes import Anything, Conditional, NoValue, Spec, Union, Within
from .._spec.questions import needs_leaf, one_of
from ..report import Path, show_path
from . import undeclared
from .causes import Note
from .dim_binding import SeenSize
from .findings import Branch, Finding
from .scopes import Scope
from .show_value import describe_value
from .tried import Once, links_of, moved
from .walker import Walker

#: Violations of these codes at a value itself say that it is another kind of thing.
_HEAD_CODES: Final = frozenset({"kind", "container", "array"})


def see_union(
    walk: Walker, value: Any, spec: Union, path: Path, scope: Scope, outermost: bool
) -> None:
    """Walks every alternative; those that fit but for their dims are kept until names are bound."""
    if walk.empty and NoValue() in spec.options:
        return  # what is not there is None
    kept, order = walk.found.part, walk.found.order
    last = order
    tried: list[Branch] = []
    walk.occurrences.unions += 1
    options = spec.options
    if walk.empty:  # nothing is there: what needs a leaf is not meant, and something needs none
        options = tuple(option for option in options if not needs_leaf(option))
    for option in options:
        tried.append(_try(walk, value, option, path, scope, outermost, order))
        last = max(last, walk.found.order)
    walk.occurrences.unions -= 1
    walk.found.part, walk.found.order = kept, last
    fitting = [part for part in tried if not part.violations]
    if walk.empty:
        fitting.sort(key=lambda part: bool(part.seen))
        _name_union(fitting, spec, path)
    if fitting:
        kept.take(fitting[0])
    if len(fitting) == 1 or (fitting and not fitting[0].seen):
        kept.seen += fitting[0].seen
    elif fitting:
        kept.seen += walk.tried.choice([part.seen for part in fitting])
    else:
        _no_option(walk, value, spec, list(zip(options, tried, strict=True)), path)


def _name_union(fitting: list[Branch], spec: Union, path: Path) -> None:
    """Says of a map that is not there what else might be."""
    for part in fitting:
        for item in part.seen:
            if isinstance(item, SeenSize) and item.path == path and item.absent:
                item.absent = describe(spec)


def _try(
    walk: Walker,
    value: Any,
    option: Spec,
    path: Path,
    scope: Scope,
    outermost: bool,
    order: int,
) -> Branch:
    """The findings of one alternative, which is not walked again if it was walked before."""
    key = walk.tried.key(option, (path, id(value), walk.stretch), walk.occurrences)
    links = None if key is None else links_of(option, scope, outermost)
    once = None if key is None else walk.tried.find(key, links)
    if once is not None:
        walk.found.order = order + once.end - once.start
        return moved(once, order)
    depth, part = walk.depth, Branch()
    walk.found.part, walk.found.order = part, order
    walk.below(value, option, path, scope, outermost=outermost)
    walk.depth = depth
    if key is not None:
        walk.tried.keep(key, links, Once(value, part, order, walk.found.order))
    return part


def _no_option(
    walk: Walker, value: Any, spec: Union, tried: list[tuple[Spec, Branch]], path: Path
) -> None:
    """Reports the alternative that got furthest, or that none was of the right kind."""
    where = show_path(path, walk.found.root)

    def head(part: Branch) -> bool:
        first = part.violations[0].violation
        return first.path == where and first.code in _HEAD_CODES

    further = [(option, part) for option, part in tried if not head(part)]
    if further:
        option, best = min(further, key=lambda pair: _distance(pair[1]))
        named = len(further) > 1 and not isinstance(option, ValueSpec | Within)
        walk.found.part.violations += _as(option, best.violations) if named else best.violations
        walk.found.part.seen += best.seen
        walk.found.part.unknown += best.unknown
        return
    _, part = tried[0]
    first, cause = part.violations[0].violation, part.violations[0].cause
    note = Note(first.note, cause)
    walk.found.add(path, first.code, walk.show(spec), describe_value(value), note)


def _as(option: Spec, violations: list[Finding]) -> Iterator[Finding]:
    """The violations with the alternative of the innermost union that they speak of."""
    text = f"as {describe(option)}"
    for item in violations:
        note = item.violation.note
        if not note.rpartition("; ")[2].startswith("as "):
            note = f"{note}; {text}" if note else text
        yield Finding(item.order, replace(item.violation, note=note), item.cause)


def _distance(part: Branch) -> tuple[int, int, int]:
    """A sort key for alternatives: wrong containers, then violations, then the depth reached."""
    found = [item.violation for item in part.violations]
    strange = sum(violation.code == "container" for violation in found)
    return strange, len(found), -max(len(violation.keys) for violation in found)


def see_decision(walk: Walker, value: Any, spec: Conditional, path: Path, scope: Scope) -> None:
    """Asks the filter of a form about each leaf that it could not decide from the schema."""
    mapping = variables.mapping_of(value)
    if mapping is not None:
        option = spec.yes if spec.yes is not None else spec.no
        if not isinstance(option, Anything):
            walk.below(value, option or Anything(), path, scope)
            return
        walk.stretch += 1  # the filter decides on each leaf of the sub-tree
        for key, item in dict(mapping).items():
            see_decision(walk, item, spec, (*path, key), scope)
        walk.stretch -= 1
        return
    if spec.open:
        undeclared.see_undecided(walk.found, spec, path)
        options = tuple(option or NoValue() for option in (spec.yes, spec.no))
        walk.below(value, one_of(tuple(dict.fromkeys(options))), path, scope)
        return
    keys = path[len(path) - len(spec.path) - walk.stretch :]
    answer = undeclared.ask_filter(walk.found, spec.filter, keys, value, path)
    if not isinstance(answer, bool):
        walk.found.order += 1
        expected = f"an answer of the filter {filters.show_filter(spec.filter)}"
        walk.found.add(path, "predicate", expected, f"{answer.__name__} from it")
        return
    option = spec.yes if answer else spec.no
    if option is not None:
        walk.below(value, option, path, scope)
        return
    walk.found.order += 1
    wanted = "selected by" if spec.yes is not None else "left out by"
    expected = f"a leaf {wanted} {filters.show_filter(spec.filter)}"
    walk.found.add(path, "extra", expected, describe_value(value))
