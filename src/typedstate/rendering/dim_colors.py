"""Finds the names of dims in a text, and gives each a colour; linked names have the same."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

#: Hues that differ visibly on a light and on a dark background.
HUES: Final = (210, 25, 140, 280, 340, 180, 55, 310, 100, 240)
#: Colours for CSS, mixed with the colour of the text, which is light on a dark background.
DIM: Final = "color-mix(in oklab,hsl({} 90% 50%) 50%,currentColor)"
WRONG: Final = "color-mix(in oklab,#f03030 65%,currentColor)"
RIGHT: Final = "color-mix(in oklab,#2a9d3f 50%,currentColor)"
#: For terminals, in the same order.
TERMINAL: Final = (
    "dodger_blue1", "dark_orange", "green3", "medium_purple1", "hot_pink",
    "turquoise2", "gold3", "orchid", "chartreuse3", "slate_blue1",
)  # fmt: skip
#: The dim of a written name, if it is not the name itself; empty for a number.
Names = Mapping[str, str]
_DIMS: Final = re.compile(
    r'"(?P<quoted>[^"]*)"'  # the dims of an array
    r"|(?<![\w.=])(?P<left>[A-Za-z_]\w*)=(?P<right>[\w*/+()-]+)"  # a link, a size
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS: Final = frozenset({"at", "axis"})


def pieces(text: str, names: Names) -> Iterator[tuple[str, str]]:
    """Splits a line of a picture or report; yields each piece and the dim it names, or ''."""
    done = 0
    for match in _DIMS.finditer(text):
        yield text[done : match.start()], ""
        done = match.end()
        if match["quoted"] is not None:
            yield '"', ""
            yield from _named(match["quoted"], names)
            yield '"', ""
        else:
            yield match["left"], names.get(match["left"], match["left"])
            yield "=", ""
            yield from _named(match["right"], names)
    yield text[done:], ""


def bound_pieces(text: str, names: Names, inside: Names) -> Iterator[tuple[str, str]]:
    """Splits the links of a `Bind` like `pieces`.

    Args:
      text: the links, e.g. ``din=d dout=4*d heads``.
      names: the dims of the names right of ``=``, and of names without ``=``.
      inside: the dims of the names left of ``=``.
    """
    for number, link in enumerate(text.split()):
        yield " " if number else "", ""
        left, linked, right = link.rpartition("=")
        if linked:
            yield left, inside.get(left, left)
            yield "=", ""
        yield from _named(right, names)


def _named(text: str, names: Names) -> Iterator[tuple[str, str]]:
    done = 0
    for match in _NAME.finditer(text):
        if match[0] in _KEYWORDS or match[0] == "_":
            continue
        yield text[done : match.start()], ""
        yield match[0], names.get(match[0], match[0])
        done = match.end()
    yield text[done:], ""


class Palette:
    """The colours of one picture; its first ten dims have different ones."""

    def __init__(self) -> None:
        """Starts a picture."""
        self._given: dict[str, tuple[int, bool]] = {}
        self._free = list(range(len(HUES)))

    def color(self, dim: str) -> tuple[int, bool]:
        """The index of a dim's colour, and whether another dim of the picture has it already.

        A dim has the same colour in every picture, unless another dim has taken it.
        """
        found = self._given.get(dim)
        if found is None:
            wanted = zlib.crc32(dim.encode("utf-8", "surrogatepass")) % len(HUES)
            again = not self._free
            if self._free:
                wanted = min(self._free, key=lambda index: (index - wanted) % len(HUES))
                self._free.remove(wanted)
            found = self._given[dim] = wanted, again
        return found
