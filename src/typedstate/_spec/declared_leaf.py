"""Asks callable filters about leaves that are declared but do not exist yet.

The callable gets a stand-in for the leaf. The stand-in answers from the declaration: its kind,
dtype, rank, a size; once for each kind and dtype that the declaration allows. If the callable reads
anything else, the stand-in records it, and only the real leaf can answer.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FrameType
from typing import Any, Final

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from .._compat import variables
from ..report import Path
from .dims import Fixed, SingleDim, VariadicDim
from .nodes import Array, Leaf, Spec
from .watched_type import ASKED_BY_TYPE, watching_type

Predicate = Callable[[Any, Any], Any]
_MAX_WORLDS: Final = 256
_MAX_KINDS: Final = 64
_stand_in_of_jax: Final[Any] = jax.ShapeDtypeStruct
_OF_ARRAY: Final = frozenset({"shape", "ndim", "dtype", "size"})


class Touched(Exception):
    """The filter looks at what no declaration says."""


class Outlook(msgspec.Struct):
    """One stand-in for a leaf: the answers that it gave a filter, and what the filter read of it.

    Attributes:
      told: the kind and the dtype that this stand-in answered.
      others: the other kinds and dtypes that later stand-ins will answer.
      beyond: whether the filter read more than the declaration tells.
      held: whether the filter read the value of the leaf.
    """

    told: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    others: dict[str, Sequence[Any]] = msgspec.field(default_factory=dict[str, Sequence[Any]])
    beyond: bool = False
    held: bool = False

    def tell(self, question: str, answers: Sequence[Any]) -> Any:
        """One of the answers; the others are for other worlds."""
        if question not in self.told:
            if not answers:
                raise self.touched()
            self.told[question], *others = answers
            self.others[question] = others
        return self.told[question]

    def touched(self) -> Touched:
        """Notes that only the real leaf can say."""
        self.beyond = True
        return Touched()


class Answers(msgspec.Struct, frozen=True):
    """The answers of a callable filter for a declared leaf.

    Attributes:
      found: the possible answers for leaves that fit the declaration.
      beyond: whether the filter reads more than the declaration tells.
      held: whether the filter reads the value, so that the answer may differ for another value.
    """

    found: frozenset[bool]
    beyond: bool
    held: bool


def ask(predicate: Predicate, path: Path, leaf: Spec, wildcard: type) -> Answers:
    """All answers that a callable can give for a leaf that is declared at a path.

    Args:
      predicate: what NNX calls with a path and a leaf.
      path: to look at a wildcard in it is to look at what is not declared.
      leaf: what is declared there.
      wildcard: the class of wildcards.
    """
    found: set[bool] = set()
    waiting: list[dict[str, Any]] = [{}]
    held, asked, watched = False, 0, watching_type(predicate)
    while waiting and asked < _MAX_WORLDS:
        asked += 1
        outlook = Outlook(waiting.pop())
        before = dict(outlook.told)
        try:
            keys = _keys(path, outlook, wildcard)
            with warnings.catch_warnings(action="ignore"):
                answer = bool(watched(keys, _stand_in(leaf, outlook)))
        except Exception:  # from the stand-in, or from code that can't read it
            outlook.beyond = True
            answer = False
        held = held or outlook.held
        if outlook.beyond:
            return Answers(frozenset(), beyond=True, held=True)
        found.add(answer)
        for question, others in outlook.others.items():
            waiting += [{**before, question: other} for other in others]
            before[question] = outlook.told[question]
        raw = not outlook.told and not held
        if raw and not _same_of_real(predicate, path, answer, wildcard):
            return Answers(frozenset(), beyond=True, held=True)
    beyond = bool(waiting)
    return Answers(frozenset(found), beyond, held or beyond)


def _keys(path: Path, outlook: Outlook, wildcard: type) -> Path:
    return tuple(_AnyKey(key, outlook) if isinstance(key, wildcard) else key for key in path)


def _stand_in(leaf: Spec, outlook: Outlook) -> Any:
    if isinstance(leaf, Leaf):
        value = _DeclaredArray(leaf.value, outlook)
        if leaf.kind is None:
            return value
        return variables.hollow(outlook.tell("kind", _kinds(leaf)), value, _Metadata(outlook))
    return _DeclaredArray(leaf, outlook)


def _refused(self: Any, *_: Any) -> Any:
    raise object.__getattribute__(self, "outlook").touched()


class _Open:
    """Stands for an undeclared property of a leaf; any read of it is recorded."""

    def __init__(self, outlook: Outlook) -> None:
        object.__setattr__(self, "outlook", outlook)

    __getattribute__ = __eq__ = __ne__ = __hash__ = __str__ = __repr__ = __format__ = _refused
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __len__ = __iter__ = __contains__ = _refused
    __getitem__ = __int__ = __index__ = __float__ = __call__ = __array__ = _refused
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __mod__ = _refused


class _AnyKey(_Open):
    """Stands for any key of one class: it is none of another class."""

    def __init__(self, wildcard: Any, outlook: Outlook) -> None:
        super().__init__(outlook)
        object.__setattr__(self, "wildcard", wildcard)

    def __eq__(self, other: object) -> bool:
        if not object.__getattribute__(self, "wildcard").may_be(other):
            return False
        raise object.__getattribute__(self, "outlook").touched()

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)

    __hash__ = _refused


class _DeclaredArray(_Open):
    """Stands for an array: what is declared of its dtype and shape can be read."""

    answers_type: Final = True

    def __init__(self, spec: Spec, outlook: Outlook) -> None:
        super().__init__(outlook)
        object.__setattr__(self, "spec", spec)

    def __getattribute__(self, name: str) -> Any:
        outlook: Outlook = object.__getattribute__(self, "outlook")
        spec: Spec = object.__getattribute__(self, "spec")
        if name == "__class__" and _asked_by_flax():
            return _DeclaredArray
        if isinstance(spec, Array) and name.isidentifier() and not _has_any_array(name):
            raise AttributeError(name)
        outlook.held = True
        if (
            name in ("__class__", ASKED_BY_TYPE)
            and isinstance(spec, Array)
            and spec.cls is jax.Array
        ):
            traced: tuple[Any, ...] = (variables.TRACER,) if name == ASKED_BY_TYPE else ()
            return outlook.tell(name, (*variables.ARRAY_CLASSES, *traced))
        if name not in _OF_ARRAY or not isinstance(spec, Array):
            raise outlook.touched()
        if name == "dtype":
            return outlook.tell("dtype", _dtypes(spec))
        shape = _shape(spec, outlook)
        if name == "ndim":
            return len(shape)
        return shape if name == "shape" else math.prod(shape)

    def __getitem__(self, key: object) -> Any:
        if key is ...:
            return self
        raise object.__getattribute__(self, "outlook").touched()


@lru_cache(maxsize=256)
def _has_any_array(name: str) -> bool:
    """Whether any array has an attribute; ``type`` and ``value`` are those of Variables."""
    classes: list[Any] = [*variables.ARRAY_CLASSES, variables.TRACER, np.ndarray, _stand_in_of_jax]
    return name == ASKED_BY_TYPE or any(hasattr(cls, name) for cls in classes)


class _Metadata(dict[str, Any]):
    """Stands for the metadata of a Variable: only what Flax itself keeps there is known."""

    def __init__(self, outlook: Outlook) -> None:
        super().__init__(variables.metadata_of(variables.Variable(None)))
        self.outlook = outlook

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        if name not in _OF_ARRAY and not str(name).startswith("on_"):
            raise self.outlook.touched()
        return False

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if self.__contains__(key) else default

    def _refused(self, *_: Any) -> Any:
        raise self.outlook.touched()

    __iter__ = __len__ = __eq__ = __ne__ = keys = items = values = copy = _refused


def _asked_by_flax() -> bool:
    """Whether Flax itself asks for the class of a value, on the way to it."""
    frame: FrameType | None = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and _module(frame).startswith(("abc", "jax.")):
        frame = frame.f_back
    return frame is not None and _module(frame).startswith("flax.nnx")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _kinds(leaf: Leaf) -> list[type]:
    """The kinds that may stand where one is declared; none where they are too many to ask for."""
    assert leaf.kind is not None
    found = [leaf.kind]
    if not leaf.exact:
        for kind in found:
            below: list[type] = type.__subclasses__(kind)
            found += [cls for cls in below if cls not in found]
            if len(found) > _MAX_KINDS:
                return []
    return found


def _dtypes(spec: Array) -> list[Any]:
    found: list[Any] = []
    for name in spec.dtypes or ():
        try:
            found.append(jnp.dtype(name))  # type: ignore[arg-type]
        except TypeError:  # a pattern, or one that this JAX does not have
            return []
    return found


def _shape(spec: Array, outlook: Outlook) -> tuple[Any, ...]:
    if spec.shape is None or any(isinstance(dim, VariadicDim) for dim in spec.shape):
        raise outlook.touched()
    inserted = [_Open(outlook)] * (len(spec.shape) + len(spec.inserted))
    return tuple(inserted) if spec.inserted else tuple(_size(dim, outlook) for dim in spec.shape)


def _size(dim: SingleDim | VariadicDim, outlook: Outlook) -> Any:
    fixed = isinstance(dim, SingleDim) and isinstance(dim.expr, Fixed) and not dim.broadcast
    return dim.expr.value if fixed else _Open(outlook)  # type: ignore[union-attr]


def _same_of_real(predicate: Predicate, path: Path, answer: bool, wildcard: type) -> bool:
    """Whether raw leaves of real classes get the same answer: ``type(leaf)`` goes unnoticed."""
    for real in (np.zeros(()), _stand_in_of_jax((), np.dtype("float32"))):
        try:
            if bool(predicate(_keys(path, Outlook(), wildcard), real)) is not answer:
                return False
        except Exception:  # it looks into the leaf
            return False
    return True
