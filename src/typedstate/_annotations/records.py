"""NamedTuples, dataclasses and TypedDicts as specs of their fields."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import types
from typing import Any, Final, ForwardRef, TypeVar, get_origin

import typing_extensions
from msgspec.structs import replace

from .._spec.nodes import Anything, RecordOf, Spec
from ..errors import SchemaError, leave_alone
from .boundary_hints import holds_state_or_array, mentions_schema, or_array
from .context import Context, NotYet, Parse
from .hint_kinds import is_named_tuple
from .lazy_annotations import annotations_of, fields_of
from .type_tables import original_bases, table_of, tables_of_bases

#: Packages whose annotations are for readers: a value of their classes may hold something else.
_LIBRARIES: Final = frozenset({"jax", "jaxlib", "flax", "optax", "orbax", "chex", "numpy"})

#: How often a generic class may stand within itself: ``Tree[list[T]]`` in a ``Tree[T]`` never ends.
_DEPTH: Final = 16


def record(hint: Any, args: tuple[Any, ...], context: Context, parse: Parse) -> Spec | None:
    """The fields of a NamedTuple, dataclass or TypedDict; at a boundary, where any is ours.

    There, a class of JAX, Flax and their like is none, as they annotate for readers; of another
    package only fields with arrays or states are looked at, and a class within itself is none.
    """
    given: Any = hint
    package = str(given.__module__).partition(".")[0]
    table = table_of(hint, args, context.typevars)
    one = (given, tuple(table.values()))
    around: list[tuple[type, Any]] = [item for item in context.inside if isinstance(item, tuple)]
    is_within_itself = one in around or [cls for cls, _ in around].count(given) == _DEPTH
    if context.boundary and (package in _LIBRARIES or is_within_itself):
        return None
    is_foreign = bool(context.package) and package != context.package
    if typing_extensions.is_typeddict(hint):
        required = frozenset[str](getattr(hint, "__required_keys__", ()))
        cls: type = dict
    elif is_named_tuple(hint):
        required, cls = frozenset[str](hint._fields), hint
    elif dataclasses.is_dataclass(hint):
        required, cls = frozenset(item.name for item in dataclasses.fields(hint)), given
    else:
        return None
    takes_arguments = cls is not dict and not is_named_tuple(cls)
    fields: dict[str, Spec] = {}
    tables = tables_of_bases(given, {**context.typevars, **table})
    for base in _writers(given, tables):
        module = vars(sys.modules.get(base.__module__, types))
        owner = f"{context.owner} ({given.__name__})"
        names, inside = (module, *context.names), (*context.inside, one)
        typevars = tables.get(base, context.typevars)
        inner = replace(
            context, owner=owner, names=names, inside=inside, typevars=typevars, braces=None
        )
        inherited = _inherited(base)
        for name, item in fields_of(base).items():
            is_argument = isinstance(item, dataclasses.InitVar) and takes_arguments
            if is_argument or inherited.get(name) is item:
                continue
            fields[name] = _field_of(base, name, item, inner, is_foreign, parse)
    if not context.boundary:
        return RecordOf(cls, tuple(fields.items()), required & set(fields))
    if not any(map(holds_state_or_array, fields.values())):
        return None
    judged = ((name, or_array(item)) for name, item in fields.items())
    return RecordOf(cls, tuple(judged), required & set(fields))


def _writers(cls: Any, tables: dict[type, Any]) -> list[type]:
    """The classes that annotate fields, the nearest last; TypedDicts forget their bases."""
    if typing_extensions.is_typeddict(cls):
        return [one for one in reversed(tables) if typing_extensions.is_typeddict(one)]
    return list(reversed(cls.__mro__))


def _inherited(cls: type) -> dict[str, Any]:
    """The annotations that a TypedDict has from its bases; empty for other classes."""
    if not typing_extensions.is_typeddict(cls):
        return {}
    found: dict[str, Any] = {}
    for base in original_bases(cls):
        origin = get_origin(base) or base
        if typing_extensions.is_typeddict(origin):
            found |= annotations_of(origin)
    return found


def _field_of(
    cls: type, name: str, hint: Any, context: Context, is_foreign: bool, parse: Parse
) -> Spec:
    """The spec of a record's field; at a boundary `Anything`, if its annotation can't be parsed."""
    if not context.boundary:
        return parse(hint, context)
    try:
        spec = parse(hint, context)
    except (SchemaError, NotYet) as error:
        if isinstance(error, NotYet) and context.waits and not is_foreign:
            error.of_record = True
            raise
        if isinstance(error, SchemaError) and not is_foreign and _mentions_schema(hint, context):
            raise
        where = f"{cls.__qualname__}.{name}"
        leave_alone(cls, where, str(error).removeprefix(f"{context.owner}: "), is_foreign)
        return Anything()
    return spec if not is_foreign or holds_state_or_array(spec) else Anything()


def _mentions_schema(hint: Any, context: Context) -> bool:
    """Whether a field's annotation, which may be text, names a schema at any depth."""
    with contextlib.suppress(NotYet, SchemaError):
        while isinstance(hint, str | ForwardRef):
            hint = context.resolve(hint if isinstance(hint, str) else hint.__forward_arg__)
        variables = (hint,) if isinstance(hint, TypeVar) else getattr(hint, "__parameters__", ())
        given = (context.typevars.get(var) for var in variables)
        return mentions_schema(hint) or any(map(mentions_schema, given))
    return False
