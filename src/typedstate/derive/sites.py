"""The site of a leaf while a tree is built: its path, and the scope of its names."""

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
    """Nothing stands there."""


ABSENT: Final[Any] = _Absent()


class Site(msgspec.Struct, frozen=True):
    """The site of a part of the tree.

    Attributes:
      path: its keys.
      generic: the same, with a wildcard for every entry of a map.
      scope: where the names of its dims live.
      like: what stands there in the tree that is followed; `ABSENT` where nothing does.
    """

    path: Path
    generic: Path
    scope: Scope
    like: Any

    def __str__(self) -> str:
        """E.g. ``blocks[*].up.bias``."""
        return show_path(self.generic) or "the value"

    def at(self, key: Hashable, *, entry: bool = False) -> Site:
        """The site below a key."""
        mapping = variables.mapping_of(self.like)
        like = ABSENT if mapping is None else mapping.get(key, ABSENT)
        generic = (*self.generic, WILDCARD if entry else key)
        return Site((*self.path, key), generic, self.scope, like)


def element(site: Site, index: int) -> Site:
    """The site of one part of a row."""
    inside = is_row(site.like) and index < len(site.like)
    return replace(site.at(index), like=site.like[index] if inside else ABSENT)


def attribute(site: Site, name: str) -> Site:
    """The site of one field of a record."""
    return replace(site.at(name), like=getattr(site.like, name, ABSENT))


def is_row(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value has its parts in a row."""
    return isinstance(value, tuple | list)
