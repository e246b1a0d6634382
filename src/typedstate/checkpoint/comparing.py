"""How `diff` and `show` read a checkpoint: it is judged as `verify` does it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from ..comparison.subject import Subject, of_stored, subject_of
from ..report import Report
from .declared import Declared
from .stored import Checkpoint
from .verifying import judge, judge_declared


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A checkpoint, as it stands beside a hint or another tree.

    Attributes:
      checkpoint: what it holds.
    """

    checkpoint: Checkpoint

    @property
    def unknown(self) -> str:
        """What the checkpoint does not say of kinds; empty where it says all."""
        return self.checkpoint.unknown

    @property
    def leaves(self) -> Mapping[Hashable, object]:
        """Nested dicts of `StoredLeaf` with the keys of a state."""
        return self.checkpoint.held

    def judge(self, other: Subject, dims: Mapping[str, int] | None) -> Report:
        """Everything in which it does not fit a hint, or another tree."""
        if other.hint is not None:
            return judge(self.checkpoint, other.hint, dims).report
        return judge_declared(
            self.checkpoint, Declared.of_spec(other.spec, other.name), dims
        ).report


@subject_of.register
def _read(given: Checkpoint) -> Subject:
    name = f"the checkpoint {given.path}"
    return of_stored(StoredTree(given), given.state(), name)
