"""The questions of the value generator: sizes, alternatives, presence; each at a `Place`."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from .._spec.nodes import (
    Leaf,
    Spec,
)
from ..report import Path


class Unsatisfied(Exception):
    """Raised if the chosen values do not fit, or if no fitting value is known."""


class Chooser(Protocol):
    """Decides what a spec leaves open."""

    def size(self, name: str, path: Path) -> int:
        """The size of a dim."""
        ...

    def run(self, name: str, path: Path) -> tuple[int, ...]:
        """The sizes of a run of axes."""
        ...

    def among(self, count: int, path: Path) -> int:
        """One of so many alternatives."""
        ...

    def is_there(self, path: Path) -> bool:
        """Whether an optional leaf is there."""
        ...

    def entries(self, path: Path) -> int:
        """The number of entries of a map."""
        ...

    def array(self, leaf: Leaf, shape: tuple[int, ...], dtype: str, path: Path) -> Any:
        """The array of a leaf."""
        ...


class Place(msgspec.Struct, frozen=True):
    """Somewhere in the tree where a mutation is sure to be refused.

    Attributes:
      path: its keys.
      spec: what stands there.
      required: it must be there.
      sizes: of the array that stands there, None where a size has a name.
    """

    path: Path
    spec: Spec
    required: bool
    sizes: tuple[int | None, ...] | None = None
