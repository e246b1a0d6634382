"""Python numbers as they are passed on: as tracers, numpy scalars, an int for a float.

A hint such as ``temperature: float`` means a Python number. Inside a transform JAX replaces it by a
tracer without axes, which the hint therefore accepts. Type checkers take an int for a float and a
float for a complex (PEP 484), and so do boundaries.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast, get_args, get_origin

import jax.numpy as jnp
import jaxtyping
import numpy as np

from ..mode import SCALARS
from . import variables

if TYPE_CHECKING:
    from beartype import BeartypeConf

IS_STRICT: Final = SCALARS == "strict"
_jnp: Final[Any] = jnp
#: Of each class of Python numbers: the dtypes that JAX gives them, and numpy's own scalars. The
#: numbers of a class count for those of the classes after it.
_NUMBERS: Final[dict[type, tuple[Any, type]]] = {
    bool: (jaxtyping.Bool, np.bool_),
    int: (jaxtyping.Integer, np.integer),
    float: (jaxtyping.Float, np.floating),
    complex: (jaxtyping.Complex, np.complexfloating),
}
_NAMES: Final = [cls.__name__ for cls in _NUMBERS]
_NAME: Final = re.compile("|".join(_NAMES))
#: Several of them, in an order of beartype's that differs from process to process.
_PROMOTED: Final = re.compile(rf"\b(?:{_NAME.pattern})(?:(?:,? or|,) (?:{_NAME.pattern})\b)+")
#: The class of ``jnp.float32`` and its like.
ScalarMeta: Final[Any] = cast(Any, type(jnp.int32))


def is_number(cls: type) -> bool:
    """Whether a class is one of Python's numbers."""
    return cls in _NUMBERS


def is_symbolic_size(value: object) -> bool:
    """Whether a value is a size that ``jax.export.symbolic_shape`` makes."""
    return not isinstance(value, int | None) and type(value) is _symbolic()


@functools.cache
def _symbolic() -> type:
    from jax import export

    return type(export.symbolic_shape("n")[0])


def is_traced_scalar(value: object, cls: type, *, counts: bool) -> bool:
    """Whether a value is a tracer without axes that may be a Python number of a class.

    Args:
      value: that is asked about.
      cls: the class of the number.
      counts: whether numbers count that are none of the class: an int where a float is wanted. If
        not, an ``int`` may still be a bool, as ``True`` is an ``int``.
    """
    is_scalar = variables.is_traced(value) and getattr(value, "shape", None) == ()
    if not is_scalar:
        return False
    return str(cast(Any, value).dtype) in _dtypes(_counting(cls, counts=counts))


def counts_for(cls: type, wanted: type) -> bool:
    """Whether each number of a class counts for one of another class."""
    return cls in _counting(wanted)


def counts_as(value: object, cls: type) -> bool:
    """Whether a value counts for a number of a class: ``1``, ``np.prod(shape)`` for a float."""
    counting = _counting(cls)
    if isinstance(value, np.bool_):  # to numpy it is no number
        return counting == (bool,)
    return any(isinstance(value, (one, _NUMBERS[one][1])) for one in counting)


def dtypes_of(cls: type) -> tuple[str, tuple[str, ...]]:
    """The dtypes of what counts for Python numbers of a class, after jaxtyping's name."""
    return _NUMBERS[cls][0].__name__, _dtypes(_counting(cls))


def _counting(cls: type, *, counts: bool = True) -> tuple[type, ...]:
    """A class of numbers, and those whose numbers count for them, or are of the class.

    Empty for any other class, and where Python's own numbers alone are wanted.
    """
    if IS_STRICT or cls not in _NUMBERS:
        return ()
    classes = tuple(_NUMBERS)
    narrower = classes[: classes.index(cls) + 1]
    return tuple(one for one in reversed(narrower) if counts or issubclass(one, cls))


def _dtypes(classes: tuple[type, ...]) -> tuple[str, ...]:
    return tuple(name for one in classes for name in _NUMBERS[one][0].dtypes)


def may_stand(hint: Any) -> bool:
    """Whether a hint speaks of numbers or of dtypes, at any depth."""
    if any(hint is cls for cls in _NUMBERS) or get_origin(hint) is Literal:
        return True
    return _is_dtype(hint) or any(map(may_stand, _parts(hint)))


@functools.cache
def beartype_conf(**settings: Any) -> BeartypeConf:
    """A configuration of beartype under which an int counts for a float."""
    from beartype import BeartypeConf

    return BeartypeConf(is_pep484_tower=not IS_STRICT, **settings)


def is_bearable(value: object, hint: Any) -> bool:
    """Whether beartype takes a value for a hint, or takes it once numbers are put back in it.

    Raises:
      beartype.roar.BeartypeException: if it makes nothing of the hint.
    """
    return _bears(value, hint) or _fits_restored(value, hint)


def as_written(reason: str) -> str:
    """A reason of beartype's with the class of numbers that was written, not what counts for it."""
    return _PROMOTED.sub(lambda found: max(_NAME.findall(found[0]), key=_NAMES.index), reason)


def _bears(value: object, hint: Any) -> bool:
    from beartype.door import is_bearable

    return is_bearable(value, hint, conf=beartype_conf())


def _fits_restored(value: object, hint: Any) -> bool:
    """Whether a value fits a hint of beartype's once Python's own numbers are put back in it.

    What they were is not known inside of a transform, so validators are not asked there.
    """
    if IS_STRICT:
        return False
    found = _Restoring()
    restored = found.restore(value)
    if found.is_traced:
        hint = _without_values(hint)
    if (found.is_traced or found.is_changed) and _bears(restored, hint):
        return True
    if not _speaks_of_dtypes(hint):
        return False
    found = _Restoring(dtypes=True)
    restored = found.restore(value)
    return found.is_changed and _bears(restored, hint)


class _Restoring:
    """Copies containers with Python's own numbers in the place of what stands for them.

    Attributes:
      is_traced: whether there was a tracer among them.
      is_changed: whether there was a scalar of numpy, or the name of a dtype, among them.
    """

    def __init__(self, dtypes: bool = False) -> None:
        self.is_traced = self.is_changed = False
        self._dtypes = dtypes

    def restore(self, value: Any) -> Any:
        if variables.is_traced(value):
            return self._traced(value)
        if isinstance(value, np.generic):
            self.is_changed = True
            return cast(Any, value).item()
        if self._dtypes and (found := _dtype_of(value)) is not None:
            self.is_changed = True
            return found
        make = _maker(type(cast(object, value)))
        if make is not None:
            return make(map(self.restore, value))
        if type(value) is dict:
            items: Any = cast(Any, value).items()
            return {self.restore(key): self.restore(item) for key, item in items}
        return value

    def _traced(self, value: Any) -> Any:
        cls = next((cls for cls in _NUMBERS if is_traced_scalar(value, cls, counts=False)), None)
        if cls is None:
            return value
        self.is_traced = True
        return cls()


def _maker(cls: type) -> Callable[[Any], Any] | None:
    """A function that makes a list or tuple of this class from items; None for other classes."""
    if cls in (tuple, list):
        return cls
    is_tuple = issubclass(cls, tuple)
    return getattr(cast(Any, cls), "_make", None) if is_tuple else None


def _dtype_of(value: Any) -> Any:
    """JAX's dtype of a scalar type or a name; None if it is none."""
    is_type = isinstance(value, ScalarMeta) or (
        isinstance(value, type) and issubclass(value, np.generic)
    )
    if not is_type and not isinstance(value, str):
        return None
    try:
        return _jnp.dtype(value)
    except TypeError:
        return None


def _speaks_of_dtypes(hint: Any) -> bool:
    return _is_dtype(hint) or any(map(_speaks_of_dtypes, _parts(hint)))


def _is_dtype(hint: Any) -> bool:
    return hint is np.dtype or get_origin(hint) is np.dtype


def _parts(hint: Any) -> tuple[Any, ...]:
    """The hints in a hint, without the metadata of ``Annotated``."""
    args: tuple[Any, ...] = get_args(hint)
    return args[:1] if get_origin(hint) is Annotated else args


def _without_values(hint: Any) -> Any:
    """A hint that asks for classes only: no validators, no literal values."""
    origin, args = get_origin(hint), _parts(hint)
    if origin is Annotated:
        return _without_values(args[0])
    if origin is Literal:
        return typing.Union[tuple(cast(Any, type(item)) for item in args)]  # noqa: UP007
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(map(_without_values, args))]  # noqa: UP007
    bare = tuple(map(_without_values, args))
    if bare == args or not hasattr(origin, "__class_getitem__"):
        return hint
    return origin[bare]
