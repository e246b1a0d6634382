"""Dims in a text, each name with a colour of its own: linked names have the same."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

#: Hues that are told apart on a light and on a dark ground.
HUES: Final = (210, 25, 140, 280, 340, 180, 55, 310, 100, 240)
#: Colours for CSS: mixed with the text's own, which is light where the ground is dark.
DIM: Final = "color-mix(in oklab,hsl({} 90% 50%) 50%,currentColor)"
WRONG: Final = "color-mix(in oklab,#f03030 65%,currentColor)"
RIGHT: Final = "color-mix(in oklab,#2a9d3f 50%,currentColor)"
#: For terminals, in the same order.
TERMINAL: Final = (
    "dodger_blue1", "dark_orange", "green3", "medium_purple1", "hot_pink",
    "turquoise2", "gold3", "orchid", "chartreuse3", "slate_blue1",
)  # fmt: skip
#: What a written name stands for, where that is not the name itself; empty for a number.
Names = Mapping[str, str]
_DIMS: Final = re.compile(
    r'"(?P<quoted>[^"]*)"'  # the dims of an array
    r"|(?<![\w.=])(?P<left>[A-Za-z_]\w*)=(?P<right>[\w*/+()-]+)"  # a link, a size
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS: Final = frozenset({"at", "axis"})


def pieces(text: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yields a line of a picture or a report in pieces, each with the dim that it names, if any."""
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
    """Yields the links of a `Bind` in pieces.

    Args:
      text: such as ``din=d dout=4*d heads``.
      names: what the names right of ``=`` stand for, and those that stand alone.
      inside: what the names left of it stand for.
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
    """The colours of one picture: no two of its first ten dims have the same."""

    def __init__(self) -> None:
        """Starts a picture."""
        self._given: dict[str, tuple[int, bool]] = {}
        self._free = list(range(len(HUES)))

    def color(self, dim: str) -> tuple[int, bool]:
        """The place of a dim's colour, and whether another dim of the picture has it already.

        The same in every picture, unless another dim has taken it.
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
