"""The few pieces of Markdown that the generated page needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typedstate.doctor.difference import ABSENT
from typedstate.doctor.guard import NOT_APPLICABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WORDS = (
    ABSENT,
    NOT_APPLICABLE,
    "no",
    "no leaves",
    "no warning",
    "none",
    "not probed",
    "not reached",
    "yes",
)


def escaped(text: str) -> str:
    """The text for a cell of a table."""
    return text.replace("|", "\\|")


def code(text: str) -> str:
    """A cell: leaves and names as code, words as words."""
    plain = not text or text in WORDS or text.isdigit() or text.startswith(("raises ", "warns "))
    return escaped(text) if plain else f"`{escaped(text)}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
