"""Hints of arrays: those of jaxtyping, dtypes, plain array classes."""

from __future__ import annotations

from typing import Any, Final, TypeGuard, TypeVar, cast

import jax
import jaxtyping
import numpy as np

from .._spec import dim_grammar
from .._spec.nodes import Array
from .context import Context

_ANY_DTYPE: Final[Any] = cast(Any, jaxtyping.Shaped).dtypes


def is_jaxtyped(hint: Any) -> TypeGuard[type]:
    """Whether a hint is an array hint such as ``Float[Array, "d"]``."""
    return isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)


def is_tree(hint: Any) -> TypeGuard[Any]:
    """Whether a hint is a tree of jaxtyping's, such as ``PyTree[Float[Array, "d"], "T"]``."""
    if not isinstance(hint, type) or not hasattr(hint, "leaftype"):
        return False
    return issubclass(hint, cast(Any, jaxtyping).PyTree)  # which is imported when it is asked for


def array(hint: Any, context: Context) -> Array:
    """Reads an array hint of jaxtyping back."""
    try:
        braces = context.braces
        shape = dim_grammar.parse_shape(hint.dim_str, None if braces is None else braces.read)
    except dim_grammar.DimError as error:
        raise context.error(str(error)) from None
    cls: Any = hint.array_type
    abstract = isinstance(cls, type) and issubclass(cls, jax.ShapeDtypeStruct)
    if isinstance(cls, TypeVar):
        cls = cls.__bound__
    if not isinstance(cls, type) or cls in (object, Any):
        cls = None
    dtypes = None if hint.dtypes is _ANY_DTYPE else tuple(hint.dtypes)
    name = "" if dtypes is None else str(hint.dtype.__name__)
    return Array(name, dtypes, shape, cls, abstract)


def dtype_class(hint: Any) -> tuple[str, tuple[Any, ...] | None] | None:
    """Name and dtypes of a bare dtype class of jaxtyping such as ``BFloat16``."""
    if not (isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractDtype)):
        return None
    dtypes: Any = cast(Any, hint).dtypes
    return ("", None) if dtypes is _ANY_DTYPE else (hint.__name__, tuple(dtypes))


def dtype_class_of(scalar: Any) -> str:
    """The class of jaxtyping for a scalar type of ``jax.numpy``."""
    name = np.dtype(scalar.dtype).name
    classes = vars(jaxtyping)
    return next((key for key in classes if key.lower() == name), "Shaped")
