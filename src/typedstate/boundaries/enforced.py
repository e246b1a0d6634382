"""`Enforced`: the hint of one parameter or of a result, and how it is checked."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from .._fastpath.structures import StructureCache
from .._spec.nodes import Spec


class Enforced(msgspec.Struct, eq=False):
    """One parameter, or the return value, of a boundary.

    Attributes:
      name: the name of the parameter; ``return`` for the result.
      hint: the resolved annotation.
      spec: the spec of the hint; None if beartype checks it.
      kind: the kind of the parameter, as in `inspect.Parameter`.
      merges: for a GraphDef, the parameters with the states to merge.
      structures: the structures accepted so far.
    """

    name: str
    hint: Any
    spec: Spec | None
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    merges: tuple[str, ...] = ()
    structures: StructureCache = msgspec.field(default_factory=StructureCache)
