"""Hints of a function's signature: tells which ones beartype checks, and widens them for JAX."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing
from collections.abc import Iterable
from typing import Any, TypeVar, assert_never, cast, get_args, get_origin

from msgspec.structs import replace

from .._compat import scalars
from .._spec.leaf_conditions import Predicate
from .._spec.node_groups import ContainerSpec, StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Array,
    Instance,
    ItemsOf,
    Literally,
    MappingOf,
    NoValue,
    Partition,
    Spec,
    TupleOf,
    Union,
    Validated,
)
from .._spec.questions import one_of, parts
from .context import Context
from .hint_kinds import TYPE_ALIASES


def mentions_schema(hint: Any, above: tuple[Any, ...] = ()) -> bool:
    """Whether a hint, or an alias in it, contains a schema or a form."""
    if hasattr(hint, "__typedstate_spec__"):
        return True
    if any(hint is one for one in above):  # an alias within itself
        return False
    return any(mentions_schema(part, (*above, hint)) for part in _parts_of(hint))


def _parts_of(hint: Any) -> tuple[Any, ...]:
    if isinstance(hint, list):
        return tuple(cast(Any, hint))
    if isinstance(hint, TypeVar):
        return (*hint.__constraints__, hint.__bound__)
    if isinstance(hint, typing.NewType):
        return (hint.__supertype__,)
    if isinstance(hint, dataclasses.InitVar):
        return (cast(Any, hint).type,)
    if isinstance(hint, TYPE_ALIASES):
        with contextlib.suppress(NameError):  # of a name that is not there yet
            return (hint.__value__,)
        return ()
    if isinstance(get_origin(hint), TYPE_ALIASES):
        return (get_origin(hint), *get_args(hint))
    return get_args(hint)


def for_beartype(hint: Any) -> Spec:
    """A hint of a boundary that is beartype's to check."""

    def test(found: Any) -> bool:
        from beartype.roar import BeartypeException

        try:
            return scalars.is_bearable(found, hint)
        except BeartypeException:  # e.g. of a protocol that is not runtime-checkable
            return True

    return Validated(Anything(), (Predicate(show_hint(hint), test),))


def own_or_for_beartype(hint: Any, spec: Spec, context: Context) -> Spec:
    """At a boundary, containers without a state or an array in them are beartype's."""
    return for_beartype(hint) if context.boundary and not holds_state_or_array(spec) else spec


def holds_state_or_array(spec: Spec) -> bool:
    """Whether a spec contains a state, a Variable or an array."""
    match spec:
        case Anything() | NoValue() | Instance() | Literally():
            return False
        case ContainerSpec() | Validated() | Union():
            return any(holds_state_or_array(part) for part in parts(spec))
        case Array() | Partition() | StateSpec():
            return True
        case _:
            assert_never(spec)


def or_array(spec: Spec) -> Spec:
    """The same with arrays without axes for Python's numbers, as ``jax.jit`` returns them."""
    match spec:
        case Instance(cls) if scalars.is_number(cls) and not scalars.IS_STRICT:
            return Union((spec, Array(*scalars.dtypes_of(cls), (), None)))
        case Union(options):
            return flat_union(map(or_array, options))
        case TupleOf(items, rest):
            return TupleOf(tuple(map(or_array, items)), None if rest is None else or_array(rest))
        case ItemsOf(item=item):
            return replace(spec, item=or_array(item))
        case MappingOf(value=value_):
            return replace(spec, value=or_array(value_))
        case Anything() | ValueSpec() | StateSpec():
            return spec
        case _:
            assert_never(spec)


def flat_union(options: Iterable[Spec]) -> Spec:
    flat: list[Spec] = []
    for option in options:
        flat += option.options if isinstance(option, Union) else (option,)
    return one_of(tuple(dict.fromkeys(flat)))


def show_hint(hint: Any) -> str:
    """A hint as its user wrote it, without the modules of its classes."""
    if isinstance(hint, type) and not get_args(hint):
        return hint.__name__
    text = str(cast(Any, hint)).replace("typing.", "")
    text = re.sub(r"\b(?:\w+\.)+(?:<locals>\.)?(\w+)", r"\1", text)
    return re.sub(r"<class '(\w+)'>", r"\1", text)
