"""Conditions on a leaf besides its kind and its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..report import Path


class Predicate(msgspec.Struct, frozen=True):
    """A condition on a value, from a beartype validator, or on a leaf, from a form.

    Attributes:
      text: the condition as text, for reports.
      test: whether a value fulfils the condition.
      reads_kind: whether the condition asks for the class of a Variable.
    """

    text: str
    test: Callable[[Any], bool]
    reads_kind: bool = False


class PlacedSpec(msgspec.Struct, frozen=True):
    """The condition that an array is sharded as declared.

    Attributes:
      rules: axis rules for logical names, pairs or a callable; None for those of the context.
    """

    rules: Any = None


class Selection(msgspec.Struct, frozen=True):
    """A filter of `Only` or `Rest` that undeclared leaves must satisfy.

    Attributes:
      filter: an NNX filter.
      keep: True keeps the leaves that the filter selects, False all others.
      path: the keys from the form's root to the level where the leaves are not declared.
    """

    filter: Any
    keep: bool
    path: Path


class Allowed(msgspec.Struct, frozen=True):
    """Leaves that may stand under undeclared keys, at any depth.

    Attributes:
      kinds: the Variable classes; None for any leaf.
      selections: the filters of `Only` and `Rest` around the schema.
    """

    kinds: tuple[type, ...] | None = None
    selections: tuple[Selection, ...] = ()
