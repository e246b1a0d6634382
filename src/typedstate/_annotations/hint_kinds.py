"""Tells the kinds of hints apart: a Variable class, a validator, a record, an alias."""

from __future__ import annotations

import collections
import dataclasses
import types
import typing
import warnings
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set as AbstractSet,
)
from typing import Any, Final, TypeGuard, cast, get_origin

import jax
import numpy as np
import typing_extensions
from flax import nnx

from .array_hints import is_jaxtyped

UNIONS: Final = (typing.Union, types.UnionType)
ITEMS: Final = (
    *(list, set, frozenset, Sequence, MutableSequence),
    *(collections.deque, AbstractSet, MutableSet, Collection, Iterable),
)
MAPPINGS: Final = (
    *(dict, Mapping, MutableMapping),
    *(collections.OrderedDict, collections.defaultdict),
)
UNPACK: Final = (typing.Unpack, typing_extensions.Unpack)
#: The syntax of Python 3.12 makes another class than ``typing_extensions`` has.
TYPE_ALIASES: Final = (
    typing_extensions.TypeAliasType,
    getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType),
)


def variable_class(hint: Any) -> TypeGuard[type]:
    """Whether a hint is a Variable class."""
    return isinstance(hint, type) and issubclass(hint, nnx.Variable)


def is_empty_tuple(hint: Any) -> bool:
    return bool(hint == tuple[()] or hint == typing.Tuple[()])  # noqa: UP006


def is_named_tuple(cls: Any) -> bool:
    return issubclass(cls, tuple) and hasattr(cast(Any, cls), "_fields")


def is_validator(item: Any) -> bool:
    return callable(getattr(item, "is_valid", None)) and hasattr(item, "get_repr")


def show_validator(item: Any) -> str:
    """A validator as its user wrote it, in at most 80 characters.

    Beartype warns where it can't find a lambda's source, as in evaluated text: nothing is wrong.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = " ".join(repr(item).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_value_hint(item: Any) -> bool:
    """Whether metadata is the hint of a Variable's value, for classes that can't be subscripted."""
    if get_origin(item) in (*UNIONS, *ITEMS, *MAPPINGS, tuple):
        return True
    cls: Any = item
    if not isinstance(item, type):
        return False
    plain = (jax.Array, np.ndarray, jax.ShapeDtypeStruct, int, float, complex, str, types.NoneType)
    return (
        bool(is_jaxtyped(cls))
        or issubclass(cls, plain)
        or dataclasses.is_dataclass(cls)
        or typing_extensions.is_typeddict(cls)
        or is_named_tuple(cls)
    )


def shorten(value: object) -> str:
    text = repr(value).replace("\n", " ")
    return text if len(text) <= 80 else f"{text[:77]}..."
