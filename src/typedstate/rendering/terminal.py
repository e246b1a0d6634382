"""The plain text of a report or a tree in colours, for `rich`: the text stays as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .dim_colors import TERMINAL, index_of, pieces

if TYPE_CHECKING:
    from rich.text import Text

_VIOLATION: Final = re.compile(r"^(\s*)(?P<path>\S.*?): .*(?P<code>\[[a-z]+\])$")
_BRANCH: Final = re.compile(r"^(?P<rails>[│├└─ ]+)(?P<key>[^:]+):")


def styled(text: str) -> Text:
    """A text of `rich` with the same characters: places bold, codes red, dims in their colours."""
    from rich.text import Text

    found = Text()
    for number, line in enumerate(text.splitlines()):
        if number:
            found.append("\n")
        found.append_text(_line(line, Text()))
    return found


def _line(line: str, found: Text) -> Text:
    for piece, name in pieces(line, {}):
        found.append(piece, None if name is None else TERMINAL[index_of(name)])
    if match := _VIOLATION.match(line):
        found.stylize("bold", *match.span("path"))
        found.stylize("bold red", *match.span("code"))
    elif match := _BRANCH.match(line):
        found.stylize("dim", *match.span("rails"))
        found.stylize("bold", *match.span("key"))
    elif line.startswith("does not fit"):
        found.stylize("bold red", 0, len("does not fit"))
    elif line.startswith("fits "):
        found.stylize("bold green", 0, len("fits"))
    return found
