"""Traces: how a value was read, with the guards that a repeated check must ask again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from .._compat.fast_reads import Sign
from ..report import Path
from .guards import OfValue


class Guard(msgspec.Struct, frozen=True):
    """A decision that read more than keys, classes, dtypes and shapes.

    Attributes:
      path: the path of the leaf from the value's root.
      test: decides again; True if the answer is the same.
      signs: expressions that code compares instead: if all are unchanged, so is the answer. None
        if `test` must be called.
    """

    path: Path
    test: Callable[[Any], bool]
    signs: tuple[Sign, ...] | None = None


class Trace(msgspec.Struct):
    """The record of how one value was read, beyond its keys, classes, dtypes and sizes.

    Attributes:
      guards: the decisions that guarded code must ask again.
      live: the paths of live modules that were read in place.
      records: the paths of dataclasses and NamedTuples, with the fields that were read.
    """

    guards: list[Guard] = msgspec.field(default_factory=list[Guard])
    live: set[Path] = msgspec.field(default_factory=set[Path])
    records: dict[Path, tuple[str, ...]] = msgspec.field(
        default_factory=dict[Path, tuple[str, ...]]
    )

    def by_path(self) -> dict[Path, list[Guard]]:
        """The guards of each path."""
        found: dict[Path, list[Guard]] = {}
        for guard in self.guards:
            found.setdefault(guard.path, []).append(guard)
        return found

    def ask_values(self, path: Path, asked: int) -> None:
        """Turns the guards since `asked` into guards on the value of the Variable at a path."""
        for index in range(asked, len(self.guards)):
            guard = self.guards[index]
            if guard.path == path:
                self.guards[index] = Guard(path, OfValue(guard.test))

    def join(self, prefix: Path, part: Trace) -> None:
        """Adds the trace of a part of the value, whose paths begin with a prefix."""
        self.guards += [replace(guard, path=(*prefix, *guard.path)) for guard in part.guards]
        self.live |= {(*prefix, *path) for path in part.live}
        self.records |= {(*prefix, *path): fields for path, fields in part.records.items()}
