"""Python numbers as JAX and numpy pass them on: as tracers, numpy scalars, names of dtypes.

A hint such as ``temperature: float`` means a Python number. Inside a transform JAX replaces it by a
tracer without axes, which the hint therefore accepts.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, cast, get_args, get_origin

import jax.numpy as jnp
import jaxtyping
import numpy as np

from ..mode import SCALARS
from . import variables

IS_STRICT: Final = SCALARS == "strict"
_jnp: Final[Any] = jnp
#: Of each class of Python numbers: the dtypes that JAX gives them, and numpy's own scalars.
#: ``True`` is an ``int``, so that an ``int`` may be a bool.
_NUMBERS: Final[dict[type, tuple[tuple[Any, ...], type]]] = {
    bool: ((jaxtyping.Bool,), np.bool_),
    int: ((jaxtyping.Integer, jaxtyping.Bool), np.integer),
    float: ((jaxtyping.Float,), np.floating),
    complex: ((jaxtyping.Complex,), np.complexfloating),
}
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


def is_traced_scalar(value: object, cls: type) -> bool:
    """Whether a value is a tracer without axes that may be a Python number of a class.

    An ``int`` may be traced as any integer or a bool, as ``True`` is an ``int``; a ``float`` as
    any floating point number, but not as an integer.
    """
    is_scalar = variables.is_traced(value) and getattr(value, "shape", None) == ()
    if not is_scalar or cls not in _NUMBERS or IS_STRICT:
        return False
    return str(cast(Any, value).dtype) in dtypes_of(cls)[1]


def is_numpy_scalar(value: object, cls: type) -> bool:
    """Whether a value is a numpy scalar, e.g. ``np.prod(shape)``, for a number of a class."""
    return not IS_STRICT and cls in _NUMBERS and isinstance(value, _NUMBERS[cls][1])


def dtypes_of(cls: type) -> tuple[str, tuple[str, ...]]:
    """The dtypes that JAX gives Python numbers of a class, after what jaxtyping calls them."""
    classes: Any = _NUMBERS[cls][0]
    return classes[0].__name__, tuple(name for one in classes for name in one.dtypes)


def may_stand(hint: Any) -> bool:
    """Whether a hint speaks of numbers or of dtypes, at any depth."""
    if any(hint is cls for cls in _NUMBERS) or get_origin(hint) is Literal:
        return True
    return _is_dtype(hint) or any(map(may_stand, _parts(hint)))


def fits(value: object, hint: Any) -> bool:
    """Whether a value fits a hint of beartype's once Python's own numbers are put back in it.

    What they were is not known inside of a transform, so validators are not asked there.
    """
    from beartype.door import is_bearable

    if IS_STRICT:
        return False
    found = _Restoring()
    restored = found.restore(value)
    if found.is_traced:
        hint = _without_values(hint)
    if (found.is_traced or found.is_changed) and is_bearable(restored, hint):
        return True
    if not _speaks_of_dtypes(hint):
        return False
    found = _Restoring(dtypes=True)
    restored = found.restore(value)
    return found.is_changed and is_bearable(restored, hint)


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
        cls = next((cls for cls in _NUMBERS if is_traced_scalar(value, cls)), None)
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
