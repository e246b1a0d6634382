"""`Axes`: splits, joins and permutes axes, written as for einops: ``"(heads hd) d -> d heads hd"``.

It applies to shapes, to arrays, and backwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Side = tuple[tuple[str, ...], ...]
Shape = tuple[int, ...]


class AxesError(ValueError):
    """A text that describes no rearrangement, or one that does not fit a shape."""


@dataclass(frozen=True, slots=True)
class Axes:
    """A rearrangement of axes.

    Attributes:
      text: the rearrangement as its user wrote it.
      before: the names of each axis of the array that goes in, outermost first.
      after: the names of each axis of the array that comes out.
    """

    text: str
    before: Side
    after: Side

    @classmethod
    def parse(cls, text: str) -> Axes:
        """Reads ``"(heads hd) d -> d heads hd"``.

        Raises:
          AxesError: the text is no rearrangement, or its two sides have different names.
        """
        left, arrow, right = text.partition("->")
        if not arrow:
            raise AxesError(f"{text!r}: write axes as 'o i -> i o'")
        before, after = _side(left, text), _side(right, text)
        names = [name for group in before for name in group]
        others = [name for group in after for name in group]
        if len(set(names)) != len(names) or sorted(names) != sorted(others):
            raise AxesError(f"{text!r}: each name stands once on either side")
        return cls(text, before, after)

    @property
    def inverse(self) -> Axes:
        """The rearrangement backwards."""
        left, _, right = self.text.partition("->")
        return Axes(f"{right.strip()} -> {left.strip()}", self.after, self.before)

    def sizes(self, shape: Shape, known: Mapping[str, int]) -> dict[str, int]:
        """The size of each name, from the shape that goes in and from the sizes of some names.

        Raises:
          AxesError: the shape does not have these axes, or a size can't be told.
        """
        if len(shape) != len(self.before):
            raise AxesError(f"{self.text!r} takes {len(self.before)} axes, found {len(shape)}")
        found: dict[str, int] = {}
        for group, size in zip(self.before, shape, strict=True):
            open_names = [name for name in group if name not in known]
            rest = math.prod(known[name] for name in group if name in known)
            if len(open_names) > 1:
                raise AxesError(f"{self.text!r}: dims= says how large {open_names[0]} is")
            if rest == 0 or size % rest or (not open_names and size != rest):
                shown = "*".join(f"{name}={known[name]}" for name in group if name in known)
                raise AxesError(f"{self.text!r}: an axis of {size} is not ({shown})")
            found |= {name: known[name] for name in group if name in known}
            found |= dict.fromkeys(open_names, size // rest)
        return found

    def shape(self, shape: Shape, known: Mapping[str, int]) -> Shape:
        """The shape that comes out."""
        sizes = self.sizes(shape, known)
        return tuple(math.prod(sizes[name] for name in group) for group in self.after)

    def apply(self, array: Any, known: Mapping[str, int]) -> Any:
        """The array that comes out; a view where numpy can give one."""
        sizes = self.sizes(array.shape, known)
        names = [name for group in self.before for name in group]
        order = [names.index(name) for group in self.after for name in group]
        apart = np.reshape(array, [sizes[name] for name in names])
        return np.reshape(np.transpose(apart, order), self.shape(array.shape, known))


def _side(text: str, whole: str) -> Side:
    groups: list[tuple[str, ...]] = []
    rest = text.strip()
    while rest:
        match = re.match(r"\(([^()]*)\)\s*|([A-Za-z_]\w*)\s*|1\s*", rest)
        if match is None:
            raise AxesError(f"{whole!r}: {rest!r} is no axis")
        inside = match[1] if match[1] is not None else (match[2] or "")
        names = tuple(inside.split())
        if not all(name.isidentifier() for name in names):
            raise AxesError(f"{whole!r}: ({inside}) is no axis")
        groups.append(names)
        rest = rest[match.end() :]
    return tuple(groups)
