"""Questions about hints of a signature: do they need a check, or jaxtyping's scope."""

from __future__ import annotations

import typing
from typing import Any

from .._annotations.array_hints import is_jaxtyped, is_tree


def says_something(hint: Any) -> bool:
    """Whether any value at all is refused."""
    return hint is not Any and hint is not object


def may_be_ours(hint: Any) -> bool:
    """Whether a hint needs parsing: no plain class, no hint of typing without arguments."""
    if hint is None or hint is Any:
        return False
    return type(hint) is not type or hint.__module__ != "builtins"


def has_jaxtyped(hint: Any) -> bool:
    """Whether a hint contains one of jaxtyping's."""
    if is_jaxtyped(hint):
        return True
    return any(has_jaxtyped(arg) for arg in typing.get_args(hint) if not isinstance(arg, str))


def has_tree(hint: Any) -> bool:
    """Whether a PyTree of jaxtyping's with names of sizes or of a structure stands in it."""
    if is_tree(hint):
        of = hint.leaftype
        return hint.structure is not None or has_jaxtyped(of) or has_tree(of)
    return any(has_tree(arg) for arg in typing.get_args(hint) if not isinstance(arg, str))
