"""What changed from one recorded pair to the next, in Markdown: a line per change, not per cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scripts.leaves_page.markdown import code
from typedstate.doctor.difference import Difference, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from typedstate.doctor.findings import Findings

FEW = 5
USUAL = "Linear"


def _general(cell: str) -> str:
    """A cell with every kind called Variable, so that one change of Flax is one line."""
    leaves = {re.sub(r"\w+\[", "Variable[", leaf) for leaf in cell.split(", ")}
    return ", ".join(sorted(leaves))


def _few(names: Iterable[str], noun: str) -> str:
    """The names, or how many they are."""
    different = list(dict.fromkeys(names))
    return ", ".join(different) if len(different) <= FEW else f"{len(different)} {noun}"


def _outcome(found: Findings, construct: str) -> str:
    """What `nnx.state` gives for a construct, or why the construct can't be built."""
    row = found.leaves.get(construct, {})
    return row.get("built") or row.get("nnx.state", "not probed")


def _buildable(found: Findings) -> set[str]:
    return {name for name, row in found.leaves.items() if "built" not in row}


def _working(found: Findings) -> set[str]:
    """The contexts that take the state of the most usual module."""
    row = found.leaves.get(USUAL, {})
    return {context for context, cell in row.items() if not cell.startswith("raises ")}


def _appeared(older: Findings, newer: Findings) -> Iterator[str]:
    """Constructs that only one of the two can build, and contexts that only one of them has."""
    for name in newer.leaves:
        if name in _buildable(older) ^ _buildable(newer):
            yield f"- {name}: {code(_outcome(older, name))} → {code(_outcome(newer, name))}"
    for name in sorted(_working(older) ^ _working(newer)):
        before = older.leaves[USUAL].get(name, "not probed")
        after = newer.leaves[USUAL].get(name, "not probed")
        yield f"- {USUAL}, {name}: {code(before)} → {code(after)}"


def _comparable(older: Findings, newer: Findings) -> Callable[[Difference], bool]:
    """Whether a change is one of its own, not a part of what `_appeared` says."""
    constructs = _buildable(older) ^ _buildable(newer)
    contexts = _working(older) ^ _working(newer)
    return lambda change: change.name not in constructs and change.place not in contexts


def _facts(changes: Sequence[Difference]) -> Iterator[str]:
    for change in changes:
        yield f"- {change.name}: {code(change.recorded)} → {code(change.seen)}"


def _leaves(changes: Sequence[Difference]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Difference]] = {}
    for change in changes:
        key = (_general(change.recorded), _general(change.seen))
        groups.setdefault(key, []).append(change)
    for (before, after), items in groups.items():
        constructs = _few((item.name for item in items), "constructs")
        contexts = _few((item.place for item in items), "contexts")
        yield f"- {code(before)} → {code(after)}: {constructs} ({contexts})"


def _keys(changes: Sequence[Difference]) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        groups.setdefault((change.name, change.recorded, change.seen), []).append(change.place)
    for (name, before, after), places in groups.items():
        paths = ", ".join(f"`{place}`" if place else "the root" for place in places)
        yield f"- keys of {name}, {paths}: {code(before)} → {code(after)}"


def change_lines(older: Findings, newer: Findings) -> list[str]:
    """Every change but that of Flax's own words, which the page shows in full."""
    own = _comparable(older, newer)
    changes = [change for change in differences(older, newer) if own(change)]
    sections = {
        section: [change for change in changes if change.section == section]
        for section in ("facts", "leaves", "keys")
    }
    return [
        *_appeared(older, newer),
        *_facts(sections["facts"]),
        *_leaves(sections["leaves"]),
        *_keys(sections["keys"]),
    ]
