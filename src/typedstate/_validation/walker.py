"""The walk as its parts see it: each reads one kind of node, and walks on below it."""

from __future__ import annotations

from typing import Any, Protocol

from .._spec.nodes import Leaf, Spec
from ..report import Path
from .findings import Findings
from .occurrences import Occurrences
from .scopes import Scope
from .tried import Tried


class Walker(Protocol):
    """A walk under way.

    Attributes:
      found: what was seen so far.
      occurrences: the scopes of the schemas that were met.
      depth: how many levels lie above the one that is walked.
      stretch: how many levels lie between a spec without keys of its own (`StateOf`, a filter's
        decision) and the leaf that is walked.
      empty: absent branches that are walked as empty ones.
      tried: alternatives within alternatives.
      repeatable: by id, specs of map entries, and whether like entries are walked once.
    """

    found: Findings
    occurrences: Occurrences
    depth: int
    stretch: int
    empty: list[Spec]
    tried: Tried
    repeatable: dict[int, tuple[Spec, bool]]

    def below(
        self, value: Any, spec: Spec, path: Path, scope: Scope, *, outermost: bool = False
    ) -> None:
        """Walks a part of the value, which stands at a path."""
        ...

    def show(self, spec: Spec) -> str:
        """What was wanted, as its user wrote it where it is the whole hint."""
        ...

    def leaf(self, value: Any, spec: Leaf, path: Path, scope: Scope) -> None:
        """Walks a Variable, or an array that stands in a state by itself."""
        ...
