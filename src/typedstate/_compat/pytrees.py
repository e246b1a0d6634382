"""The classes that JAX takes apart."""

from __future__ import annotations

from typing import Any, Final, cast

import jax

_tree: Final[Any] = cast(Any, jax).tree_util


def is_registered(cls: type) -> bool:
    """Whether instances of a class are containers to JAX; none is taken apart."""
    try:
        return not _tree.all_leaves([object.__new__(cls)])
    except TypeError:  # a class of C, of which no bare instance can be made
        return False
