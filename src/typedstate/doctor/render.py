"""The doctor's report in plain text, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typedstate.doctor.diagnosis import Diagnosis
    from typedstate.doctor.findings import Findings

USUAL = "Linear"
STATE = "nnx.state"


def _columns(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max((len(left) for left, _ in rows), default=0)
    return (f"  {left.ljust(width)}  {right}" for left, right in rows)


def _listed(items: Iterable[object], otherwise: str) -> list[str]:
    return [f"  - {item}" for item in items] or [f"  {otherwise}"]


def _constructs(found: Findings) -> list[tuple[str, str]]:
    return [(name, row.get("built") or row.get(STATE, "")) for name, row in found.leaves.items()]


def _grouped(row: dict[str, str]) -> list[tuple[str, str]]:
    groups: dict[str, list[str]] = {}
    for context, cell in row.items():
        groups.setdefault(cell, []).append(context)
    return [(cell, ", ".join(contexts)) for cell, contexts in groups.items()]


def _every_cell(found: Findings) -> Iterator[str]:
    for name, row in found.leaves.items():
        yield f"  {name}"
        yield from (f"  {line}" for line in _columns(_grouped(row)))


def _standing(result: Diagnosis) -> list[str]:
    if not result.compared_with:
        return ["There is no record to compare with."]
    if result.recorded and result.as_recorded:
        return ["All is as recorded."]
    intro = (
        "Not as recorded:"
        if result.recorded
        else f"This pair was never recorded; compared with {result.compared_with}:"
    )
    return [intro, *_listed(result.differences, "no differences")]


def _aloud(result: Diagnosis) -> Iterator[str]:
    """Yields a line for stubs with which type checkers report wrongly."""
    if result.outdated:
        older = ", ".join(result.outdated)
        yield f"The stubs are older than this Flax ({older}): see Stubs. Take a"
        yield "later typedstate, or Flax's own annotations: typedstate flax-stubs off"
    if result.stubs.demanding:
        newer = ", ".join(result.stubs.demanding)
        yield f"The stubs are newer than this Flax ({newer}): see Stubs."


def _lines(result: Diagnosis, every_cell: bool) -> Iterator[str]:
    found = result.findings
    yield f"Flax {found.flax}, JAX {found.jax}"
    yield ""
    yield from _standing(result)
    yield from _aloud(result)
    yield ""
    yield "A[B] is a leaf of kind A that holds a B, C:A[B] one of class C that stands for such a"
    yield "leaf, a name alone a raw leaf. What raises is refused by Flax or JAX itself."
    yield ""
    yield f"Leaves of {STATE}, by what the module holds"
    yield from _columns(_constructs(found))
    yield ""
    yield f"Leaves of a {USUAL}, by where its state is seen"
    yield from _columns(list(found.leaves.get(USUAL, {}).items()))
    if every_cell:
        yield ""
        yield "Leaves of every construct, by what is seen"
        yield from _every_cell(found)
    yield ""
    yield "What Flax says of its leaves"
    yield from _listed(result.claims, "nothing")
    yield ""
    yield "Stubs"
    yield from _listed(result.stubs.remarks(), "they fit")
    yield ""
    yield "Limited on this pair"
    yield from _listed(result.limits, "nothing")


def text(result: Diagnosis, *, every_cell: bool = False) -> str:
    """The report; with every cell of the table, or with its usual row and column."""
    return "\n".join(_lines(result, every_cell))
