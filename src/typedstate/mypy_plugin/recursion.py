"""Type aliases that refer to themselves, such as ``Tree = Array | dict[str, "Tree"]``.

`get_proper_type` opens one level of such an alias: who goes into its parts must know where to stop.
"""

from __future__ import annotations

from mypy.nodes import TypeAlias
from mypy.types import Type, TypeAliasType


def recursive_alias(typ: Type) -> TypeAlias | None:
    """The alias that a type is, if it refers to itself."""
    return typ.alias if isinstance(typ, TypeAliasType) and typ.is_recursive else None


__all__ = ["recursive_alias"]
