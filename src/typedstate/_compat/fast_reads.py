"""Reads of a leaf that generated code may use: slots and abstract values."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Final, cast

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from .axis_rules import SHARDING_KEYS, context_rules
from .storage import entries_of
from .variables import (
    RAW_SLOT,
    WITH_BUFFERS,
    is_reference,
    is_traced,
    is_variable_state,
    metadata_of,
    plain_of,
    raw_value,
)

_ShapedArray: Final[Any] = cast(Any, jax).core.ShapedArray
#: Whether equal abstract values are one object, as from jax 0.10 on.
_INTERNED: Final = _ShapedArray((2, 3), np.dtype("float32")) is _ShapedArray(
    (2, 3), np.dtype("float32")
)
_MAY_BE_A_BASE: Final = 1 << 10  # of the flags of a class: Py_TPFLAGS_BASETYPE

#: The slot in which a State keeps its mapping.
MAPPING: Final = "_mapping"
#: The slots in which a PRNG key array keeps its plain array, and what implements its keys.
KEY_BASE: Final = "_base_array"
KEY_IMPLEMENTATION: Final = "_impl"


def slot_of(variable: Any) -> str | None:
    """The attribute with a leaf's raw value, for generated code; None if there is none."""
    if is_variable_state(variable):
        reads_reference = is_reference(raw_value(variable))
        return None if reads_reference else "value"
    return RAW_SLOT if plain_of(variable) is variable else None


def is_interned(aval: object) -> bool:
    """Whether an abstract value is the only one that equals it."""
    return _INTERNED and type(aval) is _ShapedArray


def aval_reader(cls: type) -> Callable[[Any], Any] | None:
    """JAX's own function that reads the abstract value of arrays of a class.

    None where it would take other objects too: what it takes is of the class, and reading is
    quicker than by the attribute.
    """
    read: Any = getattr(vars(cls).get("aval"), "fget", None)
    if read is None or isinstance(read, types.FunctionType) or cls.__flags__ & _MAY_BE_A_BASE:
        return None
    try:
        read(None)
    except TypeError:
        return cast(Callable[[Any], Any], read)
    except Exception:
        return None
    return None


def deletion_reader(cls: type) -> Callable[[Any], bool] | None:
    """The method that says whether an array of a class is gone; None if none of them can be."""
    return cast(Any, cls).is_deleted if cls in WITH_BUFFERS else None


def key_base(value: object) -> Any:
    """The plain array behind a PRNG key array, whose abstract value is cheap to read."""
    base = getattr(value, KEY_BASE, None)
    readable = (
        isinstance(base, jax.Array) and hasattr(base, "aval") and hasattr(value, KEY_IMPLEMENTATION)
    )
    return base if readable else None


def key_implementation(key: Any) -> Any:
    """The implementation of a PRNG key array that has a `key_base`; it decides the dtype."""
    return getattr(key, KEY_IMPLEMENTATION)


#: What generated code evaluates: an expression with the leaf's name in the braces, such as
#: ``{}._var_metadata['sharding']``, or a function of the context; and what it gave before.
Sign = tuple[str | Callable[[], Any], Any]


def names_signs(variable: Any) -> tuple[Sign, ...] | None:
    """Expressions whose unchanged values imply unchanged axis names; None if there are none."""
    if slot_of(variable) is None:
        return None
    metadata, found = metadata_of(variable), list[Sign]()
    for key in SHARDING_KEYS:
        names = metadata.get(key)
        if names is not None:
            if not _never_changes(names):
                return None
            found.append((f"{{}}._var_metadata[{key!r}]", names))
            break
        found.append((f"{{}}._var_metadata.get({key!r})", None))
    return tuple(found)


def placement_signs(variable: Any) -> tuple[Sign, ...] | None:
    """Expressions whose unchanged values imply that an array lies on its mesh as before."""
    signs, raw = names_signs(variable), raw_value(variable)
    at = None if is_traced(raw) else getattr(raw, "sharding", None)
    if signs is None or not isinstance(at, NamedSharding):
        return None
    own, around = metadata_of(variable).get("sharding_rules"), context_rules()
    if not (_never_changes(own) and _never_changes(around)):
        return None
    rules = ("{}._var_metadata.get('sharding_rules')", own)
    where = (f"{{}}.{slot_of(variable)}.sharding", at)
    return (*signs, rules, where, (context_rules, around))


def _never_changes(names: Any) -> bool:
    """Whether axis names or rules are of classes whose objects stay as they are."""
    if isinstance(names, tuple | PartitionSpec):
        return all(map(_never_changes, entries_of(names)))
    return names is None or isinstance(names, str | NamedSharding)
