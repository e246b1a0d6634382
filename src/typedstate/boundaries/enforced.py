"""What is enforced of one parameter, or of a result."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from .._fastpath.structures import StructureCache
from .._spec.nodes import Spec


class Enforced(msgspec.Struct, eq=False):
    """One parameter, or the return value, of a boundary.

    Attributes:
      name: the parameter's; ``return`` for the value.
      hint: its resolved annotation.
      spec: what it means, None where beartype checks it.
      structures: the structures accepted so far.
      kind: of the parameter.
      merges: the parameters that have the states of a GraphDef.
    """

    name: str
    hint: Any
    spec: Spec | None
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    merges: tuple[str, ...] = ()
    structures: StructureCache = msgspec.field(default_factory=StructureCache)
