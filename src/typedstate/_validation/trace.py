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
      path: of the leaf that was asked, from the value's root.
      test: asks again; True where the answer is the same.
      signs: by all of which code sees, without asking, that it is; None where it has to ask.
    """

    path: Path
    test: Callable[[Any], bool]
    signs: tuple[Sign, ...] | None = None


class Trace(msgspec.Struct):
    """The record of how one value was read, beyond its keys, classes, dtypes and sizes.

    Attributes:
      guards: the decisions that guarded code must ask again.
      live: where a live module was read in place.
      records: where a dataclass or NamedTuple was read, by which fields.
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
        """The guards since `asked` were about what the Variable at a path holds."""
        for index in range(asked, len(self.guards)):
            guard = self.guards[index]
            if guard.path == path:
                self.guards[index] = Guard(path, OfValue(guard.test))

    def join(self, prefix: Path, part: Trace) -> None:
        """Adds how a part of this value was read, which stands below a prefix."""
        self.guards += [replace(guard, path=(*prefix, *guard.path)) for guard in part.guards]
        self.live |= {(*prefix, *path) for path in part.live}
        self.records |= {(*prefix, *path): fields for path, fields in part.records.items()}
