"""Turns an outline into `Twig`s, with the violations of a report at their paths."""

from __future__ import annotations

from ..rendering.byte_counts import show_bytes
from ..rendering.twig import Mark, Twig
from ..report import Report
from .outline import Branch, key_text


def twig_of(tree: Branch, report: Report | None) -> Twig:
    """The twig of an outline, marked with the report's violations."""
    known: dict[tuple[str, ...], Twig] = {}
    root = _twig(tree, (), known)
    for violation in () if report is None else report.violations:
        note = violation.note
        mark = Mark(violation.code, violation.expected, violation.actual, note)
        _at(tuple(map(key_text, violation.keys)), known).marks.append(mark)
    return root


def _twig(tree: Branch, place: tuple[str, ...], known: dict[tuple[str, ...], Twig]) -> Twig:
    size = ""
    if tree.parameters is not None and tree.nbytes is not None:
        size = f"{tree.parameters:,} numbers, {show_bytes(tree.nbytes)}"
    key = place[-1] if place else ""
    twig = known[place] = Twig(
        key,
        tree.text,
        tree.bound,
        tree.more,
        size,
        tree.placed,
        tree.names,
        tree.inside,
    )
    for item in tree.below:
        twig.below.append(_twig(item, (*place, key_text(item.path[-1])), known))
    return twig


def _at(place: tuple[str, ...], known: dict[tuple[str, ...], Twig]) -> Twig:
    """The twig at a path; made without text if there is none."""
    found = known.get(place)
    if found is None:
        found = known[place] = Twig(place[-1])
        _at(place[:-1], known).below.append(found)
    return found
