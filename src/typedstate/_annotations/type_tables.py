"""Tables of type variables and their arguments, for a class and for its bases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast, get_args, get_origin

import typing_extensions

from ..errors import SchemaError

#: What stands for each type variable.
Table = Mapping[Any, Any]


def table_of(cls: Any, args: tuple[Any, ...], outer: Table) -> dict[Any, Any]:
    """The table of a class's own type variables: the arguments of its subscription, or defaults.

    Args:
      cls: the class.
      args: what it is subscripted with; may name type variables in turn.
      outer: what stands for those.
    """
    params: tuple[Any, ...] = getattr(cls, "__parameters__", ())
    if not all(isinstance(item, _VARIABLES) for item in params):  # TypeVarTuple, ParamSpec
        return {}
    given = {var: put(arg, outer) for var, arg in zip(params, args, strict=False)}
    for var in params:
        if var not in given and has_default(var):
            given[var] = put(default_of(var), given)
    return given


def tables_of_bases(cls: type, table: Table) -> dict[type, Table]:
    """The tables of a class and of each of its bases."""
    found: dict[type, Table] = {cls: table}
    for base in original_bases(cls):
        origin = get_origin(base) or base
        if origin in (Generic, typing_extensions.Protocol) or not isinstance(origin, type):
            continue
        below = tables_of_bases(origin, table_of(origin, get_args(base), table))
        for one, inner in below.items():
            found.setdefault(one, inner)
    return found


def original_bases(cls: type) -> tuple[Any, ...]:
    """The bases of a class as they were written."""
    return cast("tuple[Any, ...]", vars(cls).get("__orig_bases__", cls.__bases__))


def put(hint: Any, table: Table) -> Any:
    """A hint whose type variables are replaced by their arguments.

    Raises:
      SchemaError: ``typing`` takes no such argument, e.g. ``ClassVar`` within a list.
    """
    if isinstance(hint, TypeVar):
        return table.get(hint, hint)
    params: tuple[Any, ...] = getattr(hint, "__parameters__", ())
    if isinstance(hint, type) or not any(var in table for var in params):
        return hint
    try:
        return hint[tuple(table.get(var, var) for var in params)]
    except TypeError as error:
        raise SchemaError(f"{hint!r}: {error}") from None


def has_default(var: Any) -> bool:
    """Whether a type variable has a default (PEP 696)."""
    return default_of(var) is not typing_extensions.NoDefault


def default_of(var: Any) -> Any:
    """The default of a type variable, ``NoDefault`` where it has none."""
    return getattr(var, "__default__", typing_extensions.NoDefault)


_VARIABLES = (TypeVar, typing_extensions.TypeVar)
