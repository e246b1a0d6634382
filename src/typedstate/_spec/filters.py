"""NNX filters over specs: does a filter select a leaf that is only declared?

The answers on real leaves are Flax's own (``flax.nnx.filterlib.to_predicate``); here a
declared leaf gets yes, no or maybe, and a maybe is left to the real leaf.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from types import EllipsisType
from typing import Any, cast

import msgspec
from flax import nnx
from flax.nnx import filterlib
from msgspec.structs import replace

from ..report import Path
from . import declared_leaf
from .node_groups import WrapperSpec
from .nodes import Anything, Array, Conditional, Leaf, NoValue, Spec, Union

_PathContains: Any = filterlib.PathContains
_PathIn: Any = getattr(filterlib, "PathIn", None)


class Wildcard(msgspec.Struct, frozen=True):
    """A key that a map leaves open, in the path of a declared leaf.

    Attributes:
      of: the class of the key.
    """

    of: type = object

    def __repr__(self) -> str:
        """``*``."""
        return "*"

    def may_be(self, key: object) -> bool:
        """Whether a real path may have this key there."""
        return isinstance(key, self.of)

    def may_have(self, text: str) -> bool:
        """Whether a real path may have a key there that is written with this text in it."""
        return self.of is not int or text.isdecimal()


WILDCARD = Wildcard()
WILDCARDS = {"int": Wildcard(int), "str": Wildcard(str)}


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
            return _any([_is_path(wanted, path) for wanted in filter_.paths])
        case str() | filterlib.WithTag():
            return Answer.NO if isinstance(leaf, Array) else Answer.MAYBE  # an array has no tag
        case _:
            return _by_declaration(filter_, path, leaf)


def leaf_of(spec: Conditional) -> Spec:
    """The leaf that is or is not there."""
    leaf = spec.yes if spec.yes is not None else spec.no
    if isinstance(leaf, Conditional):
        return leaf_of(leaf)
    return Anything() if leaf is None else leaf


def surely(spec: Spec | None, path: Path) -> Spec | None:
    """The spec at a real path; with a `Conditional` if only the real leaf can decide.

    Of a union that a filter decides by its alternatives it is one with ``None`` where some of them
    are left out.
    """
    if isinstance(spec, WrapperSpec):
        inner = surely(spec.inner, path)
        return None if inner is None else replace(spec, inner=inner)
    if isinstance(spec, Union):
        decided = [surely(option, path) for option in spec.options]
        left = tuple(option for option in decided if option is not None)
        if len(left) == len(decided):
            return spec if left == spec.options else Union(left)
        return Union((*left, NoValue())) if left else None
    if not isinstance(spec, Conditional):
        return spec
    leaf = leaf_of(spec)
    answer = Answer.MAYBE
    if isinstance(leaf, Leaf) and not spec.open:
        answer = decide(spec.filter, path[len(path) - len(spec.path) :], leaf)
    if answer is Answer.MAYBE:
        return spec
    return surely(spec.yes if answer is Answer.YES else spec.no, path)


def _by_declaration(predicate: Any, path: Path, leaf: Spec) -> Answer:
    """The answer of a callable filter; MAYBE unless path and declaration are all that it reads."""
    if not callable(predicate) or isinstance(leaf, Anything):
        return Answer.MAYBE
    answers = declared_leaf.ask(predicate, path, leaf, Wildcard)
    if answers.beyond or len(answers.found) != 1:
        return Answer.MAYBE
    return Answer.YES if True in answers.found else Answer.NO


def decide_declared(spec: Conditional, leaf: Spec) -> Answer:
    """The answer of a filter for a leaf in a tree without kinds, by the kind that is declared."""
    if spec.open or isinstance(leaf, Anything):
        return Answer.MAYBE
    exact = replace(leaf, exact=True) if isinstance(leaf, Leaf) else leaf
    return decide(spec.filter, spec.path, exact)


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
    wanted = filter_.key
    known = [key for key in path if not isinstance(key, Wildcard)]
    if wanted in known if exact else any(str(wanted) in str(key) for key in known):
        return Answer.YES
    for key in path:
        if isinstance(key, Wildcard):
            may = key.may_be(wanted) if exact else key.may_have(str(wanted))
            if may:
                return Answer.MAYBE
    return Answer.NO


def _is_path(wanted: Path, path: Path) -> Answer:
    if len(wanted) != len(path):
        return Answer.NO
    answers = [
        (Answer.MAYBE if key.may_be(other) else Answer.NO)
        if isinstance(key, Wildcard)
        else (Answer.YES if key == other else Answer.NO)
        for key, other in zip(path, wanted, strict=True)
    ]
    return ~_any([~answer for answer in answers])


def asks_for_kinds(filter_: Any) -> bool:
    """Whether a filter reads what only a Variable has: its class or its tag."""
    match filter_:
        case str():
            return True
        case type() | filterlib.OfType():
            cls = filter_ if isinstance(filter_, type) else filter_.type
            return issubclass(cls, nnx.Variable)
        case list() | tuple():
            return any(asks_for_kinds(item) for item in cast(Iterable[Any], filter_))
        case filterlib.Any(predicates=inner) | filterlib.All(predicates=inner):
            return asks_for_kinds(inner)
        case filterlib.Not(predicate=inner):
            return asks_for_kinds(inner)
        case _:
            return isinstance(filter_, filterlib.WithTag)


def reads_value(filter_: Any, path: Path, leaf: Spec) -> bool:
    """Whether a filter reads more of a leaf than its path, its Variable's class and its tag.

    A callable is asked with a stand-in that notices when it is touched.
    """
    match filter_:
        case EllipsisType() | bool() | None | str():
            return False
        case type() | filterlib.OfType():
            return not asks_for_kinds(filter_)
        case list() | tuple():
            return any(reads_value(item, path, leaf) for item in cast(Iterable[Any], filter_))
        case filterlib.Any(predicates=inner) | filterlib.All(predicates=inner):
            return reads_value(inner, path, leaf)
        case filterlib.Not(predicate=inner):
            return reads_value(inner, path, leaf)
        case filterlib.Everything() | filterlib.Nothing() | filterlib.WithTag() | _PathContains():
            return False
        case _ if _PathIn is not None and isinstance(filter_, _PathIn):
            return False
        case _:
            return declared_leaf.ask(filter_, path, leaf, Wildcard).held


def show_filter(filter_: Any) -> str:
    """A filter as its user would write it."""
    match filter_:
        case EllipsisType():
            return "..."
        case type():
            return filter_.__name__
        case [one]:
            return show_filter(one)
        case list() | tuple():
            return f"({', '.join(show_filter(item) for item in cast(Iterable[Any], filter_))})"
        case filterlib.Not(predicate=inner):
            return f"Not({show_filter(inner)})"
        case filterlib.Any(predicates=inner):
            return f"Any({', '.join(show_filter(item) for item in inner)})"
        case filterlib.All(predicates=inner):
            return f"All({', '.join(show_filter(item) for item in inner)})"
        case filterlib.OfType(type=cls):
            return cls.__name__
        case _ if callable(filter_) and hasattr(filter_, "__name__"):
            return str(filter_.__name__)
        case _:
            return repr(filter_)[:60]
