"""The page about leaves, generated from the record: what they are on each Flax, what changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from scripts.leaves_page.changes import change_lines
from scripts.leaves_page.markdown import code, escaped, table
from typedstate.doctor.claims import STATE_DOCSTRING, Claim, judge
from typedstate.doctor.contexts import CONTEXTS
from typedstate.doctor.findings import Findings
from typedstate.doctor.limits import limits

if TYPE_CHECKING:
    from typedstate.doctor.record import Record

INTRO = """# What the leaves of a state are

Generated from the record by `python -m scripts.leaves_page page docs/leaves.md`; do not edit.
The record holds what `typedstate doctor` found by running each pair of Flax and JAX, never what a
documentation says.

`Param[ArrayImpl]` is a `Param` that holds an `ArrayImpl`; `VariableState:Param[ArrayImpl]` is a
leaf of class `VariableState` that stands for a `Param`; a name alone is a raw leaf. "raises" is
what Flax or JAX itself does.
"""

Cell = Callable[[Findings], str]


def _runs(record: Record, answers: Callable[[Findings], Hashable]) -> list[list[Findings]]:
    """The recorded pairs in runs of the same answers."""
    return [list(run) for _, run in groupby(record.values(), key=answers)]


def _versions(run: Sequence[Findings]) -> str:
    first, last = run[0].flax, run[-1].flax
    return f"Flax {first}" if first == last else f"Flax {first} to {last}"


def _by_version(record: Record, title: str, cells: dict[str, Cell]) -> Iterator[str]:
    """A table with a column for each run of pairs with the same answers."""
    runs = _runs(record, lambda entry: tuple(cell(entry) for cell in cells.values()))
    head = (title, *map(_versions, runs))
    rows = ((escaped(name), *(code(cell(run[0])) for run in runs)) for name, cell in cells.items())
    yield from table(head, rows)


def _in_state(name: str) -> Cell:
    def cell(found: Findings) -> str:
        row = found.leaves.get(name, {})
        return row.get("built", row.get("nnx.state", ""))

    return cell


def _in_context(construct: str, context: str) -> Cell:
    return lambda found: found.leaves.get(construct, {}).get(context, "")


def _fact(name: str) -> Cell:
    return lambda found: found.facts.get(name, "")


def _names(record: Record, pick: Callable[[Findings], Iterable[str]]) -> list[str]:
    """The names in the newest entry's order, then those that only older ones have."""
    newest_first = reversed(list(record.values()))
    return list(dict.fromkeys(name for entry in newest_first for name in pick(entry)))


def _pairs(record: Record) -> Iterator[str]:
    yield "## Recorded pairs"
    yield ""
    yield from table(("Flax", "JAX"), ((entry.flax, entry.jax) for entry in record.values()))


def _constructs(record: Record) -> Iterator[str]:
    yield "## Leaves of `nnx.state`, by what the module holds"
    yield ""
    names = _names(record, lambda entry: entry.leaves)
    yield from _by_version(record, "construct", {name: _in_state(name) for name in names})


def _contexts(record: Record, construct: str) -> Iterator[str]:
    yield f"## Leaves of {construct}, by where its state is seen"
    yield ""
    cells = {item.name: _in_context(construct, item.name) for item in CONTEXTS}
    yield from _by_version(record, "context", cells)


def _facts(record: Record) -> Iterator[str]:
    yield "## Single facts"
    yield ""
    names = sorted(_names(record, lambda entry: entry.facts))
    yield from _by_version(record, "fact", {name: _fact(name) for name in names})


def _claims(entry: Findings) -> tuple[Claim, ...]:
    return judge(entry.says, entry.leaves)


def _sayings(record: Record) -> Iterator[str]:
    yield "## What Flax says of its leaves"
    yield ""
    yield "Docstrings and annotations as the package had them, against the leaves that were seen."
    for run in _runs(record, _claims):
        yield ""
        yield f"### {_versions(run)}"
        yield ""
        rows = (
            (claim.where, code(claim.said), escaped(claim.verdict)) for claim in _claims(run[0])
        )
        yield from table(("place", "what it says", "against what was seen"), rows)


def _changes(record: Record) -> Iterator[str]:
    yield "## What changed"
    yield ""
    yield "`Variable[...]` stands for a leaf of any kind here."
    entries = list(record.values())
    for older, newer in pairwise(entries):
        yield ""
        yield f"### From Flax {older.flax} (JAX {older.jax}) to {newer.flax} (JAX {newer.jax})"
        yield ""
        changed = change_lines(older, newer)
        yield from changed or ["Nothing that the probe sees."]
        if changed:
            yield ""
            yield f"The docstring of `nnx.State` then: {newer.says[STATE_DOCSTRING]}"


def _limits(record: Record) -> Iterator[str]:
    yield "## What typedstate can't do there"
    for run in _runs(record, limits):
        yield ""
        yield f"### {_versions(run)}"
        yield ""
        yield from (f"- {item}" for item in limits(run[0]))


def _sections(record: Record) -> Iterator[str]:
    for section in (
        _pairs(record),
        _constructs(record),
        _contexts(record, "Linear"),
        _contexts(record, "Param as a reference"),
        _contexts(record, "Param as hijax"),
        _changes(record),
        _sayings(record),
        _facts(record),
        _limits(record),
    ):
        yield ""
        yield from section


def page(record: Record) -> str:
    """The whole page."""
    return INTRO + "\n".join(_sections(record)) + "\n"
