"""`Walker`: the walk as a protocol, for the modules that each read one kind of node."""

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
      found: the findings so far.
      occurrences: the scopes of the schemas that were met.
      depth: the number of levels above the current one.
      stretch: the number of levels between a spec without keys of its own (`StateOf`, a filter
        decision) and the current leaf.
      empty: the specs of absent branches that are being walked as empty ones.
      tried: the alternatives of nested unions that were walked.
      repeatable: by the ``id`` of a map entry's spec, whether like entries are walked once.
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
        """Walks the part of the value at a path."""
        ...

    def show(self, spec: Spec) -> str:
        """A spec as text for reports; the whole hint as its user wrote it."""
        ...

    def leaf(self, value: Any, spec: Leaf, path: Path, scope: Scope) -> None:
        """Walks a leaf: a Variable, or a raw array."""
        ...
