"""Colours the plain text of a report or a tree for `rich`, without changing the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .dim_colors import TERMINAL, Palette, pieces

if TYPE_CHECKING:
    from rich.text import Text

_VIOLATION: Final = re.compile(r"^(\s*)(?P<path>\S.*?): .*(?P<code>\[[a-z]+\])$")
_BRANCH: Final = re.compile(r"^(?P<rails>[│ ]*[├└]─ )(?P<key>[^:]+?)(?=: | \(|$)")


def styled(text: str) -> Text:
    """A `rich` text of the same characters: paths bold, codes red, dims coloured."""
    palette = Palette()
    return joined([colored(pieces(line, {}), palette) for line in text.splitlines()])


def colored(parts: Iterable[tuple[str, str]], palette: Palette) -> Text:
    """Colours one line, which is given in pieces with the dims that they name."""
    from rich.style import Style
    from rich.text import Text

    found = Text()
    for piece, dim in parts:
        index, again = palette.color(dim) if dim else (0, False)
        found.append(piece, Style(color=TERMINAL[index], underline=again) if dim else None)
    return _marked(found)


def joined(lines: Iterable[Text]) -> Text:
    """Joins lines to one text."""
    from rich.text import Text

    return Text("\n").join(lines)


def _marked(found: Text) -> Text:
    line = found.plain
    if match := _BRANCH.match(line):
        found.stylize("dim", *match.span("rails"))
        found.stylize("bold", *match.span("key"))
    elif match := _VIOLATION.match(line):
        found.stylize("bold", *match.span("path"))
        found.stylize("bold red", *match.span("code"))
    elif line.startswith("does not fit"):
        found.stylize("bold red", 0, len("does not fit"))
    elif line.startswith("fits "):
        found.stylize("bold green", 0, len("fits"))
    return found
