"""Dims in a text, each name with a colour of its own: linked names have the same."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

#: Hues that are told apart on a light and on a dark ground.
HUES: Final = (210, 25, 140, 280, 340, 180, 55, 310, 100, 240)
#: For terminals, in the same order.
TERMINAL: Final = (
    "dodger_blue1", "dark_orange", "green3", "medium_purple1", "hot_pink",
    "turquoise2", "gold3", "orchid", "chartreuse3", "slate_blue1",
)  # fmt: skip
_DIMS: Final = re.compile(
    r'"(?P<quoted>[^"]*)"'  # the dims of an array
    r"|(?<![\w.=])(?P<left>[A-Za-z_]\w*)=(?P<right>[\w*/+()-]+)"  # a link, a size
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS: Final = frozenset({"at", "axis"})


def pieces(text: str, names: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Yields a text in pieces, those that name a dim with the name that it goes by outside."""
    done = 0
    for match in _DIMS.finditer(text):
        yield text[done : match.start()], None
        done = match.end()
        if match["quoted"] is not None:
            yield '"', None
            yield from _named(match["quoted"], names)
            yield '"', None
        else:
            outer = names.get(match["left"], match["left"])
            right = match["right"]
            # A link's left side is a name of the inside: it goes by what stands on the right.
            yield match["left"], right if _NAME.fullmatch(right) else outer
            yield "=", None
            yield from _named(right, names)
    yield text[done:], None


def _named(text: str, names: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    done = 0
    for match in _NAME.finditer(text):
        if match[0] in _KEYWORDS or match[0] == "_":
            continue
        yield text[done : match.start()], None
        yield match[0], names.get(match[0], match[0])
        done = match.end()
    yield text[done:], None


def index_of(name: str) -> int:
    """The colour of a name, the same in every picture."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % len(HUES)
