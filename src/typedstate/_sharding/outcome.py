"""`Outcome`: whether a placement matches its axis names; unknown if it can't be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from .._compat.storage import ANYWHERE, Storage
from .axis_names import ANY, Names, axes_of, show_mesh, show_names

Status = Literal["match", "mismatch", "unknown"]


class Outcome(msgspec.Struct, frozen=True):
    """Whether an array is as declared.

    Attributes:
      outcome: match, mismatch, or unknown if it can't be seen.
      expected: the declaration, for a report.
      actual: the placement that was found; for unknown, the reason why it can't be seen.
      note: the likely cause or fix; may be empty.
      shards: if the value is one shard, the number of shards along each axis.
      unplaced: what a mismatching array is that was never put on a mesh; empty for any other.
    """

    outcome: Status
    expected: str = ""
    actual: str = ""
    note: str = ""
    shards: tuple[int, ...] = ()
    unplaced: Literal["", "on one device", "numpy's"] = ""


MATCH: Final = Outcome("match")


def joined(first: Outcome, second: Outcome) -> Outcome:
    """The answer to two questions about one array: a mismatch, else what is unknown."""
    for answer in (first, second):
        if answer.outcome == "mismatch":
            return answer
    if first.outcome != "match" or second.outcome == "match":
        return first
    return msgspec.structs.replace(second, shards=first.shards)


class Wanted(msgspec.Struct):
    """Declared axis names, ready to be compared with a placement.

    Attributes:
      names: the names, resolved by axis rules.
      mesh: the mesh of these axes; None to compare names alone.
      hidden: the axes whose split can't be seen, with the reason.
      storage: with the sums that are declared, over axes of the mesh.
    """

    names: Names
    mesh: Any
    hidden: Mapping[Any, str] = msgspec.field(default_factory=dict[Any, str])
    storage: Storage = ANYWHERE

    @property
    def text(self) -> str:
        """What is declared, as a PartitionSpec."""
        return show_names(self.names, self.storage)

    def sizes(self) -> Mapping[Any, int]:
        """The sizes of the mesh's axes."""
        sizes: Mapping[Any, int] = {} if self.mesh is None else self.mesh.shape
        return sizes

    def visible(self, entry: Any) -> tuple[Any, ...]:
        """The mesh axes of an entry whose split can be seen."""
        sizes = self.sizes()
        return tuple(
            name for name in axes_of(entry) if sizes.get(name, 2) != 1 and name not in self.hidden
        )

    def strange(self) -> list[Any]:
        """The names that the mesh doesn't have."""
        if self.mesh is None:
            return []
        split = [n for entry in self.names for n in axes_of(entry)]
        sums = sorted(self.storage.unreduced | self.storage.reduced, key=str)
        return [name for name in (*split, *sums) if name not in self.sizes()]

    def differs(self, actual: Names) -> bool:
        """Whether an axis that can be seen is split otherwise than declared."""
        strange = set(self.strange())
        for axis in range(max(len(self.names), len(actual))):
            want = self.names[axis] if axis < len(self.names) else None
            have = actual[axis] if axis < len(actual) else None
            if want is ANY or have is ANY or strange & set(axes_of(want)):
                continue
            if self.visible(want) != self.visible(have):
                return True
        return False

    def sums_differ(self, actual: Storage) -> bool:
        """Whether sums that can be seen are otherwise than declared.

        What the gradient's sums will be says nothing of where an array is: undeclared, it may
        be anything.
        """
        strange = set(self.strange())

        def seen(axes: frozenset[Any]) -> set[Any]:
            return {name for name in self.visible((*axes,)) if name not in strange}

        if seen(self.storage.unreduced) != seen(actual.unreduced):
            return True
        return bool(self.storage.reduced) and seen(self.storage.reduced) != seen(actual.reduced)

    def verdict(self) -> Outcome:
        """Match, or why that can't be told."""
        strange = self.strange()
        if strange:
            text = f"no rule and no axis of the mesh ({show_mesh(self.mesh)}) is called"
            return Outcome("unknown", self.text, f"{text} {strange[0]!r}")
        sums = sorted(self.storage.unreduced | self.storage.reduced, key=str)
        for entry in (*self.names, *sums):
            for name in axes_of(entry):
                if name in self.hidden and self.sizes()[name] != 1:
                    return Outcome("unknown", self.text, f"{name!r} {self.hidden[name]}")
        return MATCH
