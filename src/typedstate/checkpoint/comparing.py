"""Lets `diff` and `show` take a checkpoint: they judge it as `verify` does."""

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
    """A checkpoint as one side of a comparison.

    Attributes:
      checkpoint: the inspected checkpoint.
    """

    checkpoint: Checkpoint

    @property
    def unknown(self) -> str:
        """A sentence on the kinds that the checkpoint does not name; empty if it names all."""
        return self.checkpoint.unknown

    @property
    def leaves(self) -> Mapping[Hashable, object]:
        """Nested dicts of `StoredLeaf` under the keys that a state has."""
        return self.checkpoint.held

    def judge(self, other: Subject, dims: Mapping[str, int] | None) -> Report:
        """The violations of the checkpoint against a hint, or against another tree."""
        if other.hint is not None:
            return judge(self.checkpoint, other.hint, dims).report
        return judge_declared(
            self.checkpoint, Declared.of_spec(other.spec, other.name), dims
        ).report


@subject_of.register
def _read(given: Checkpoint) -> Subject:
    name = f"the checkpoint {given.path}"
    return of_stored(StoredTree(given), given.state(), name)
