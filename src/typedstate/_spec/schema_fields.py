"""The fields of a schema, and what may stand under other keys: `nodes` has them, too."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import msgspec

from .dims import Expr
from .leaf_conditions import Allowed
from .words import Container

if TYPE_CHECKING:
    from .nodes import Spec


class Field(msgspec.Struct, frozen=True):
    """One declared key of a schema.

    Attributes:
      name: the attribute.
      key: the state's key.
      spec: what stands there.
      optional: may be absent.
      shared: path of the Variable that this one is, dotted from the root.
      decided: a filter that can't be asked again has decided whether it is there.
    """

    name: str
    key: Hashable
    spec: Spec
    optional: bool = False
    shared: str | None = None
    decided: bool = False


class KeyPattern(msgspec.Struct, frozen=True):
    """What stands under keys like ``layers_{}``.

    Attributes:
      keys: a key, with braces for what varies.
      entry: what stands there.
      length: where ``{len=n}`` counts the keys: 0, 1, 2 ... stand in the place of the braces.
    """

    keys: str
    entry: Spec
    length: Expr[str] | None = None

    def key_of(self, number: int) -> str:
        """The key of one of those that are counted."""
        return self.keys.replace("{}", str(number))


class Extra(msgspec.Struct, frozen=True):
    """The entries that are allowed under undeclared keys.

    Attributes:
      patterns: keys like ``layers_{}`` with what stands there.
      allowed: leaves that any of these allows.
    """

    patterns: tuple[KeyPattern, ...] = ()
    allowed: tuple[Allowed, ...] = ()

    @property
    def open(self) -> bool:
        """Whether leaves of any kind are allowed."""
        return any(item.kinds is None for item in self.allowed)


class Schema(msgspec.Struct, frozen=True):
    """The resolved fields of a schema class or of a form of one."""

    name: str
    fields: tuple[Field, ...]
    extra: Extra = Extra()
    container: Container = "any"
