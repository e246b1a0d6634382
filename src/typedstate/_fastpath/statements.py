"""Statements of guarded code, written in any order and sorted by stages.

Objects that are compared together are all fetched before the first is read, so that the processor
waits once for memory outside of its cache. A local name is ``v#0`` for the value of a function and
``v#1``, ``r#1``, ... for values below it, until the position of the statements is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

#: The stages: a value's class is looked at, what it holds is fetched, that is read, asked again.
KIND: Final = 0
FETCH: Final = 1
READ: Final = 2
ASK: Final = 3
#: What is looked at next begins that much later.
STAGES: Final = 1000
_LOCAL: Final = re.compile(r"#(\d+)")


class Line(NamedTuple):
    """A statement, and when it comes: after all of an earlier stage."""

    stage: int
    text: str


def refuse(condition: str, stage: int = KIND) -> Line:
    """Refuses the value if a condition holds."""
    return Line(stage, f"if {condition}: return False")


def differs(text: str, known: str) -> str:
    """The condition that the object of an expression is neither the known one nor equal to it."""
    return f"{text} is not None" if known == "None" else f"{known} is not {text} != {known}"


def text_of(lines: Iterable[Line]) -> str:
    """The statements in the order of their stages."""
    return "\n".join(line.text for line in sorted(lines, key=lambda line: line.stage))


def named(text: str) -> str:
    """Text with its local names as Python writes them."""
    return _LOCAL.sub(r"\1", text)


def below(lines: Iterable[Line], local: int, stage: int) -> list[Line]:
    """Statements of a function as those of another, in which their value has this number."""

    def moved(text: str) -> str:
        return _LOCAL.sub(lambda number: f"#{int(number[1]) + local}", text)

    return [Line(stage + line.stage, moved(line.text)) for line in lines]


def size_of(lines: Iterable[Line]) -> int:
    """The number of lines of code."""
    return sum(1 + line.text.count("\n") for line in lines)


def locals_of(lines: Iterable[Line]) -> int:
    """The number of local variables that statements use."""
    return 1 + max(int(number) for line in lines for number in _LOCAL.findall(line.text))
