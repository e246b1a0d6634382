"""`Site`: the position of the builder in the tree, with the scope of the names of dims there."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final, TypeGuard

import msgspec
from msgspec.structs import replace

from .._compat import variables
from .._spec.filters import WILDCARD
from .._validation.scopes import Scope
from ..report import Path, show_path


class _Absent:
    """The class of `ABSENT`, which stands for no value."""


ABSENT: Final[Any] = _Absent()


class Site(msgspec.Struct, frozen=True):
    """One position in the tree.

    Attributes:
      path: the keys from the root.
      generic: the same keys, with a wildcard for the key of each entry of a map.
      scope: the scope of the names of dims.
      like: the value at this path in the tree `like`; `ABSENT` if there is none.
    """

    path: Path
    generic: Path
    scope: Scope
    like: Any

    def __str__(self) -> str:
        """The generic path as text: ``blocks[*].up.bias``."""
        return show_path(self.generic) or "the value"

    def at(self, key: Hashable, *, entry: bool = False) -> Site:
        """The site below a key."""
        mapping = variables.mapping_of(self.like)
        like = ABSENT if mapping is None else mapping.get(key, ABSENT)
        generic = (*self.generic, WILDCARD if entry else key)
        return Site((*self.path, key), generic, self.scope, like)


def element(site: Site, index: int) -> Site:
    """The site of one item of a list or tuple."""
    inside = is_row(site.like) and index < len(site.like)
    return replace(site.at(index), like=site.like[index] if inside else ABSENT)


def attribute(site: Site, name: str) -> Site:
    """The site of one field of a record."""
    return replace(site.at(name), like=getattr(site.like, name, ABSENT))


def is_row(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value is a list or tuple."""
    return isinstance(value, tuple | list)
