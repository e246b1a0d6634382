"""Alternatives of a union: finds the chosen one, and tells whether all make the same leaf."""

from __future__ import annotations

from typing import Any

from .._spec.describe import describe
from .._spec.nodes import (
    Argument,
    Bound,
    Conditional,
    EntriesSpec,
    Leaf,
    Map,
    Node,
    PlacedAsSpec,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
    Union,
)
from .._spec.rewrite import rewrite
from .._validation.walk import Walk
from ..forms.replacing import Abstracting


def give(names: list[str]) -> str:
    """The arguments that would give open names their sizes, as text: ``d= and layers=``."""
    return " and ".join(f"{name}=" for name in names)


def leaves_alike(options: list[Spec]) -> bool:
    """Whether all options are leaves with the same axis names."""
    trees = (
        Node
        | Bound
        | Map
        | EntriesSpec
        | StateOfSpec
        | ScopedSpec
        | SameSpec
        | PlacedAsSpec
        | Argument
        | Conditional
        | Union
    )
    if any(isinstance(option, trees) for option in options):
        return False
    return len({option.names if isinstance(option, Leaf) else None for option in options}) == 1


def is_chosen(chosen: Any, option: Spec, index: int) -> bool:
    """Whether a choice, by number or by class, means this alternative."""
    if isinstance(chosen, bool):
        return False
    if isinstance(chosen, int):
        return chosen == index
    text = chosen.__name__ if isinstance(chosen, type) else chosen
    kind = option.kind if isinstance(option, Leaf) else None
    return text == describe(option) or (kind is not None and chosen is kind)


def fits(value: Any, option: Spec) -> bool:
    """Whether a concrete or abstract value fits an alternative."""
    for spec in (option, rewrite(option, Abstracting())):
        if spec is not None:
            walk = Walk()
            walk.visit(value, spec)
            if walk.report(""):
                return True
    return False
