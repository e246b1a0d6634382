"""Conditions on a leaf besides its kind and its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..report import Path


class Predicate(msgspec.Struct, frozen=True):
    """A beartype validator over a value, or what a form says of a leaf.

    Attributes:
      text: what it asks for.
      test: whether a value is so.
      reads_kind: it asks for the class of a Variable.
    """

    text: str
    test: Callable[[Any], bool]
    reads_kind: bool = False


class PlacedSpec(msgspec.Struct, frozen=True):
    """Really sharded as declared.

    Attributes:
      rules: pairs or a callable for logical names; None for those of the context.
    """

    rules: Any = None


class Selection(msgspec.Struct, frozen=True):
    """A filter of `Only` or `Rest` that undeclared leaves must satisfy.

    Attributes:
      filter: an NNX filter.
      keep: the leaves that it selects stay; otherwise all others.
      path: the keys from the form's root to the level where the leaves are not declared.
    """

    filter: Any
    keep: bool
    path: Path


class Allowed(msgspec.Struct, frozen=True):
    """Leaves that may stand under undeclared keys, at any depth.

    Attributes:
      kinds: of these Variable classes; None for any leaf.
      selections: what `Only` and `Rest` say of them.
    """

    kinds: tuple[type, ...] | None = None
    selections: tuple[Selection, ...] = ()
