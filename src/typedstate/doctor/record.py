"""The record: the findings on each pair of Flax and JAX that was probed, in one data file.

`python -m scripts.leaves_page record` adds or replaces the installed pair's entry; nothing else
writes the file, and no hand edits it.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from typedstate.doctor.findings import Findings, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = "record.json"
Record = dict[str, Findings]


def _grouped(table: Table) -> dict[str, dict[str, list[str]]]:
    """A table by outcome: most contexts of a construct share one, and the file stays readable."""
    grouped: dict[str, dict[str, list[str]]] = {}
    for name, row in table.items():
        outcomes = grouped.setdefault(name, {})
        for place, outcome in row.items():
            outcomes.setdefault(outcome, []).append(place)
    return grouped


def _spread(grouped: Mapping[str, Mapping[str, Sequence[str]]]) -> Table:
    return {
        name: {place: outcome for outcome, places in outcomes.items() for place in places}
        for name, outcomes in grouped.items()
    }


def _encode(findings: Findings) -> dict[str, Any]:
    return {**findings.to_json(), "leaves": _grouped(findings.leaves)}


def _decode(data: Mapping[str, Any]) -> Findings:
    return Findings.from_json({**data, "leaves": _spread(data["leaves"])})


def version_key(version: str) -> tuple[int, ...]:
    """A version's numbers, for sorting and distance."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:4])


def pair_key(findings: Findings) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The order of the record: by Flax, then by JAX."""
    return version_key(findings.flax), version_key(findings.jax)


def load(text: str | None = None) -> Record:
    """The record of this package (or of that text), oldest Flax first."""
    source = (
        text
        if text is not None
        else resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    )
    entries = [_decode(entry) for entry in json.loads(source).values()]
    return {entry.pair: entry for entry in sorted(entries, key=pair_key)}


def dump(record: Record) -> str:
    """The text of the data file."""
    ordered = sorted(record.values(), key=pair_key)
    data = {entry.pair: _encode(entry) for entry in ordered}
    text = json.dumps(data, indent=1, ensure_ascii=False)
    return _one_line_lists(text) + "\n"


def _one_line_lists(text: str) -> str:
    """Lists of strings on one line each, so that a changed cell is a changed line."""
    return re.sub(
        r"\[\n\s+(.*?)\n\s+\]",
        lambda found: "[" + re.sub(r"\n\s+", " ", found.group(1)) + "]",
        text,
        flags=re.DOTALL,
    )


def _rank(version: str) -> int:
    """A version as one number, in which an earlier part outweighs any later one."""
    rank = 0
    for number in (*version_key(version), 0, 0, 0, 0)[:4]:
        rank = rank * 10_000 + number
    return rank


def _distance(one: str, other: str) -> int:
    return abs(_rank(one) - _rank(other))


def nearest(record: Record, flax: str, jax: str) -> Findings | None:
    """The entry of a pair; else of the nearest Flax the one with the nearest JAX."""
    entries = list(record.values())
    if not entries:
        return None
    return min(entries, key=lambda entry: (_distance(entry.flax, flax), _distance(entry.jax, jax)))
