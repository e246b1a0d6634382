"""`Chooser`: decides the open points of a generated tree; `Place`: where a mutation can go."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from .._spec.nodes import (
    Leaf,
    Spec,
)
from ..report import Path


class Unsatisfied(Exception):
    """The chosen values do not fit, or no fitting value is known."""


class Chooser(Protocol):
    """Decides each open point of a spec: sizes, alternatives, presence, values."""

    def size(self, name: str, path: Path) -> int:
        """The size of a dim."""
        ...

    def run(self, name: str, path: Path) -> tuple[int, ...]:
        """The sizes of a run of axes."""
        ...

    def among(self, count: int, path: Path) -> int:
        """The index of one of `count` alternatives."""
        ...

    def is_there(self, path: Path) -> bool:
        """Whether an optional leaf is present."""
        ...

    def entries(self, path: Path) -> int:
        """The number of entries of a map."""
        ...

    def array(self, leaf: Leaf, shape: tuple[int, ...], dtype: str, path: Path) -> Any:
        """The array of a leaf."""
        ...


class Place(msgspec.Struct, frozen=True):
    """A position in the tree where a check is sure to refuse a mutation.

    Attributes:
      path: the keys from the root.
      spec: the spec of the leaf or level.
      required: whether it must be present.
      sizes: the sizes of the array, with None for a size that a name decides; None if it is no
        array of a known rank.
    """

    path: Path
    spec: Spec
    required: bool
    sizes: tuple[int | None, ...] | None = None
