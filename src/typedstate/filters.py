"""NNX filters over specs: does a filter select a leaf that is only declared?

The answers on real leaves are Flax's own (``flax.nnx.filterlib.to_predicate``); here a
declared leaf gets yes, no or maybe, and a maybe is left to the real leaf.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from types import EllipsisType
from typing import Any, cast

from flax import nnx
from flax.nnx import filterlib

from .spec import Leaf, Path, Spec

_PathContains: Any = filterlib.PathContains
_PathIn: Any = getattr(filterlib, "PathIn", None)


class Wildcard:
    """A key that a map leaves open, in the path of a declared leaf."""

    def __repr__(self) -> str:
        """``*``."""
        return "*"


WILDCARD = Wildcard()


class Answer(Enum):
    """Whether a filter selects a declared leaf."""

    NO = 0
    MAYBE = 1
    YES = 2

    def __invert__(self) -> Answer:
        """Not."""
        return Answer(2 - self.value)


def decide(filter_: Any, path: Path, leaf: Spec) -> Answer:
    """Whether an NNX filter selects a declared leaf at a path.

    Source of the rules: ``flax.nnx.filterlib.to_predicate``.
    """
    match filter_:
        case EllipsisType() | True:
            return Answer.YES
        case None | False:
            return Answer.NO
        case type():
            return _of_type(filter_, leaf)
        case filterlib.OfType(type=cls):
            return _of_type(cls, leaf)
        case filterlib.Everything():
            return Answer.YES
        case filterlib.Nothing():
            return Answer.NO
        case list() | tuple():
            return _any([decide(item, path, leaf) for item in cast(Iterable[Any], filter_)])
        case filterlib.Any(predicates=inner):
            return _any([decide(item, path, leaf) for item in inner])
        case filterlib.All(predicates=inner):
            return ~_any([~decide(item, path, leaf) for item in inner])
        case filterlib.Not(predicate=inner):
            return ~decide(inner, path, leaf)
        case _PathContains():
            return _path_contains(filter_, path)
        case _ if _PathIn is not None and isinstance(filter_, _PathIn):
            if any(key is WILDCARD for key in path):
                return Answer.MAYBE
            return Answer.YES if path in filter_.paths else Answer.NO
        case _:
            return Answer.MAYBE


def _any(answers: list[Answer]) -> Answer:
    return max(answers, key=lambda answer: answer.value, default=Answer.NO)


def _of_type(cls: type, leaf: Spec) -> Answer:
    """A subclass may stand where its base is declared, so a base is a maybe."""
    if not isinstance(leaf, Leaf) or leaf.kind is None:
        variable = issubclass(cls, nnx.Variable)
        return Answer.NO if variable else Answer.MAYBE
    if issubclass(leaf.kind, cls):
        return Answer.YES
    return Answer.MAYBE if issubclass(cls, leaf.kind) and not leaf.exact else Answer.NO


def _path_contains(filter_: Any, path: Path) -> Answer:
    exact = getattr(filter_, "exact", True)
    if exact and filter_.key in path:
        return Answer.YES
    if not exact and any(str(filter_.key) in str(key) for key in path):
        return Answer.YES if not any(key is WILDCARD for key in path) else Answer.MAYBE
    return Answer.MAYBE if any(key is WILDCARD for key in path) else Answer.NO


def show(filter_: Any) -> str:
    """A filter as its user would write it."""
    match filter_:
        case EllipsisType():
            return "..."
        case type():
            return filter_.__name__
        case list() | tuple():
            return f"({', '.join(show(item) for item in cast(Iterable[Any], filter_))})"
        case filterlib.Not(predicate=inner):
            return f"Not({show(inner)})"
        case filterlib.Any(predicates=inner):
            return f"Any({', '.join(show(item) for item in inner)})"
        case filterlib.All(predicates=inner):
            return f"All({', '.join(show(item) for item in inner)})"
        case filterlib.OfType(type=cls):
            return cls.__name__
        case _ if callable(filter_) and hasattr(filter_, "__name__"):
            return str(filter_.__name__)
        case _:
            return repr(filter_)[:60]
