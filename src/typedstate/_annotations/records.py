"""NamedTuples, dataclasses and TypedDicts as specs of their fields."""

from __future__ import annotations

import dataclasses
import sys
import types
from typing import Any, Final

import typing_extensions
from msgspec.structs import replace

from .._spec.nodes import Anything, RecordOf, Spec
from ..errors import SchemaError, leave_alone
from .boundary_hints import holds_state_or_array, or_array
from .context import Context, NotYet, Parse
from .hint_kinds import is_named_tuple
from .lazy_annotations import fields_of

#: Packages whose annotations are for readers: a value of their classes may hold something else.
_LIBRARIES: Final = frozenset({"jax", "jaxlib", "flax", "optax", "orbax", "chex", "numpy"})


def record(hint: Any, context: Context, parse: Parse) -> Spec | None:
    """The fields of a NamedTuple, dataclass or TypedDict; at a boundary, where any is ours.

    There, a class of JAX, Flax and their like is none, as they annotate for readers; of another
    package only fields with arrays or states are looked at, and a class within itself is none.
    """
    given: Any = hint
    package = str(given.__module__).partition(".")[0]
    if context.boundary and (package in _LIBRARIES or given in context.inside):
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
    fields: dict[str, Spec] = {}
    for base in reversed(given.__mro__):
        module = vars(sys.modules.get(base.__module__, types))
        owner = f"{context.owner} ({given.__name__})"
        names, inside = (module, *context.names), (*context.inside, given)
        inner = replace(context, owner=owner, names=names, inside=inside)
        for name, item in fields_of(base).items():
            if isinstance(item, dataclasses.InitVar):
                continue
            fields[name] = _field_of(base, name, item, inner, is_foreign, parse)
    if not context.boundary:
        return RecordOf(cls, tuple(fields.items()), required & set(fields))
    if not any(map(holds_state_or_array, fields.values())):
        return None
    judged = ((name, or_array(item)) for name, item in fields.items())
    return RecordOf(cls, tuple(judged), required & set(fields))


def _field_of(
    cls: type, name: str, hint: Any, context: Context, is_foreign: bool, parse: Parse
) -> Spec:
    """What a field of a record holds; anything, where that can't be said at a boundary."""
    if not context.boundary:
        return parse(hint, context)
    try:
        spec = parse(hint, context)
    except (SchemaError, NotYet) as error:
        if isinstance(error, NotYet) and context.waits and not is_foreign:
            error.of_record = True
            raise
        where = f"{cls.__qualname__}.{name}"
        leave_alone(cls, where, str(error).removeprefix(f"{context.owner}: "), is_foreign)
        return Anything()
    return spec if not is_foreign or holds_state_or_array(spec) else Anything()
