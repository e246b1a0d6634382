"""Differences between two sets of findings: installed and recorded ones, or two records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typedstate.doctor.findings import Findings, Table

ABSENT = "nothing"
NOT_BUILT = "built"  # stands for all contexts in the row of a construct that cannot be built


@dataclass(frozen=True)
class Difference:
    """One answer that is not the recorded one.

    Attributes:
        section: `leaves`, `keys`, `facts` or `says`.
        name: The construct, or the fact.
        place: The context or path; empty for a fact, and for a construct that can be built in one
            of the two only.
        recorded: The older answer.
        seen: The newer answer.
    """

    section: str
    name: str
    place: str
    recorded: str
    seen: str

    def __str__(self) -> str:
        """One line."""
        where = f"{self.name}, {self.place}" if self.place else self.name
        return f"{where}: {self.recorded} is now {self.seen}"

    def to_json(self) -> dict[str, str]:
        """Plain strings."""
        return {
            "section": self.section,
            "name": self.name,
            "place": self.place,
            "recorded": self.recorded,
            "seen": self.seen,
        }


def _rows(
    section: str, name: str, old: dict[str, str], new: dict[str, str]
) -> Iterator[Difference]:
    for place in dict.fromkeys((*old, *new)):
        before, after = old.get(place, ABSENT), new.get(place, ABSENT)
        if before != after:
            yield Difference(section, name, place, before, after)


def _tables(section: str, old: Table, new: Table) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        yield from _rows(section, name, old.get(name, {}), new.get(name, {}))


def _leaves(old: Table, new: Table, unbuilt: Iterable[str]) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, {}), new.get(name, {})
        if name in unbuilt:
            yield Difference("leaves", name, "", _state(before), _state(after))
        else:
            yield from _rows("leaves", name, before, after)


def _unbuilt(old: Table, new: Table) -> set[str]:
    """The constructs that can be built in one of the two only."""
    both = (name for name in old if name in new)
    return {name for name in both if (NOT_BUILT in old[name]) != (NOT_BUILT in new[name])}


def _state(row: dict[str, str]) -> str:
    """The leaves of a state of a construct, or why it cannot be built."""
    return row.get(NOT_BUILT) or row.get("nnx.state", ABSENT)


def _answers(section: str, old: dict[str, str], new: dict[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if before != after:
            yield Difference(section, name, "", before, after)


def differences(old: Findings, new: Findings) -> tuple[Difference, ...]:
    """Every answer in which the two differ, in the order of the sections."""
    unbuilt = _unbuilt(old.leaves, new.leaves)
    keys = [{k: row for k, row in one.keys.items() if k not in unbuilt} for one in (old, new)]
    return (
        *_leaves(old.leaves, new.leaves, unbuilt),
        *_tables("keys", *keys),
        *_answers("facts", old.facts, new.facts),
        *_answers("says", old.says, new.says),
    )
