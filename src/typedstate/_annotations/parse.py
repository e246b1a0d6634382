"""`parse`: turns an annotation into a spec; every hint is parsed once, here.

Schema classes and forms give their own spec by `__typedstate_spec__`; `parse` recognises every
other annotation. Nothing in a hint is ever called.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import types
import typing
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from typing import Annotated, Any, Final, Literal, TypeVar, cast, get_args, get_origin

import jax
import numpy as np
import typing_extensions
from flax import nnx
from jax.sharding import PartitionSpec
from msgspec.structs import replace

from .._compat import modules, scalars, variables
from .._spec.leaf_conditions import Predicate
from .._spec.nodes import (
    Anything,
    Array,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    MappingOf,
    NoValue,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
)
from .annotated import annotated, held
from .array_hints import array, dtype_class, dtype_class_of, is_jaxtyped
from .boundary_hints import (
    flat_union,
    for_beartype,
    holds_state_or_array,
    mentions_schema,
    own_or_for_beartype,
    show_hint,
)
from .context import Context
from .hint_kinds import (
    ITEMS,
    MAPPINGS,
    TYPE_ALIASES,
    UNIONS,
    UNPACK,
    is_empty_tuple,
    shorten,
    variable_class,
)
from .records import record
from .type_tables import (
    default_of,
    has_default,
    original_bases,
    put,
    table_of,
    tables_of_bases,
)

#: What these take and give shows when they are used: it is left to type checkers.
_CONTRACTS: Final = (
    *(Callable, type, Iterator, Generator, Awaitable, Coroutine),
    *(AsyncIterable, AsyncIterator, AsyncGenerator),
    *(contextlib.AbstractContextManager, contextlib.AbstractAsyncContextManager),
    *(typing_extensions.TypeGuard, typing_extensions.TypeIs, getattr(typing, "TypeGuard", None)),
    getattr(typing, "TypeIs", None),
)

#: Whose subclasses hold what their base says.
_CONTAINERS: Final = (list, set, frozenset, dict, tuple, collections.deque)

_WRAPPERS: Final = (
    typing.Final,
    typing.ClassVar,
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)


def parse(hint: Any, context: Context) -> Spec:
    """Parses a hint.

    Raises:
      SchemaError: it can mean nothing; names where it stands and the likely fix.
      NotYet: it refers to a name that is not defined yet.
    """
    own = getattr(hint, "__typedstate_spec__", None)
    if own is not None:
        return cast(Spec, own(context))
    if isinstance(hint, str | typing.ForwardRef):
        text = hint if isinstance(hint, str) else hint.__forward_arg__
        named = context.resolve(text)
        if not context.boundary or isinstance(named, TypeVar):
            return parse(named, context)
        named = put(named, context.typevars)
        is_generic = get_origin(named) is not None
        if any(named is one or (is_generic and named == one) for one in context.inside):
            return Anything()  # an alias within itself
        return parse(named, replace(context, inside=(*context.inside, named)))
    if isinstance(hint, TypeVar):
        return _type_variable(hint, context)
    if hint is None or hint is types.NoneType:
        return NoValue()
    if hint is Any:
        return Anything()
    origin = get_origin(hint)
    if origin is Annotated:
        return annotated(hint, context, parse)
    if origin in UNIONS:
        return _union(get_args(hint), context)
    if origin in _WRAPPERS:
        return parse(get_args(hint)[0], context)
    if isinstance(origin, TYPE_ALIASES):
        return _alias(origin, get_args(hint), context)
    if isinstance(hint, TYPE_ALIASES):
        return _alias(hint, (), context)
    if isinstance(hint, typing.NewType):
        return parse(hint.__supertype__, context)
    if isinstance(hint, dataclasses.InitVar):
        return parse(cast(Any, hint).type, context)
    if origin is Literal:
        if mentions_schema(hint):
            raise context.error(f"{show_hint(hint)}: Literal takes values, no types")
        return Literally(get_args(hint))
    if origin in (*ITEMS, *MAPPINGS, tuple) and not get_args(hint) and not is_empty_tuple(hint):
        return parse(origin, context)  # ``typing.List`` is ``list``
    if is_jaxtyped(hint):
        return array(hint, context)
    if origin is not None:
        return _generic(hint, origin, get_args(hint), context)
    if isinstance(hint, type):
        return _class(hint, context)
    return _mistake(hint, context)


def _type_variable(hint: TypeVar, context: Context) -> Spec:
    if hint in context.typevars:
        others = {var: arg for var, arg in context.typevars.items() if var is not hint}
        return parse(context.typevars[hint], replace(context, typevars=others))
    if has_default(hint) and not context.boundary:  # a function's own is what it is called with
        return parse(default_of(hint), context)
    if hint.__constraints__:
        return _union(hint.__constraints__, context)
    bound = hint.__bound__
    return Anything() if bound is None else parse(bound, context)


def _alias(alias: Any, args: tuple[Any, ...], context: Context) -> Spec:
    params = getattr(alias, "__type_params__", ())
    given = {
        param: context.typevars.get(arg, arg) if isinstance(arg, TypeVar) else arg
        for param, arg in zip(params, args, strict=False)
    }
    for param in params:
        if param not in given and has_default(param):
            given[param] = put(default_of(param), given)
    return parse(alias.__value__, replace(context, typevars={**context.typevars, **given}))


def _union(args: tuple[Any, ...], context: Context) -> Spec:
    return flat_union(parse(arg, context) for arg in args)


def _class(hint: Any, context: Context) -> Spec:
    cls: Any = hint
    if variable_class(hint):
        return Leaf(hint, Anything())
    if issubclass(hint, jax.ShapeDtypeStruct):
        return Array("", None, None, None, abstract=True)
    if issubclass(hint, jax.Array | np.ndarray):
        return Array("", None, None, cls)
    if isinstance(hint, scalars.ScalarMeta):
        raise context.error(
            f"jnp.{cls.__name__} is a dtype, of which nothing is an instance: write "
            f'{dtype_class_of(cls)}[Array, ""]'
        )
    if dtype_class(hint) is not None:
        raise context.error(
            f'{hint.__name__} alone is no array: write {hint.__name__}[Array, "..."]'
        )
    if issubclass(hint, nnx.State):
        return Instance(cls) if context.boundary else StateOfSpec(Anything())
    if modules.is_module_class(cls):  # also one that is a dataclass
        if context.boundary:
            return Instance(cls)
        raise context.error(
            f"{hint.__name__} is a module: give the schema of its state, or the class of its leaf"
        )
    fields = record(cls, (), context, parse)
    if fields is not None:
        return fields
    items = _own_container(cls, (), context)
    if items is not None:
        return items
    if hint in (list, tuple, set, frozenset, dict) and not context.boundary:
        raise context.error(
            f"{hint.__name__} says nothing about its leaves: write {hint.__name__}[...], "
            "or StateMap[...] for the entries of an nnx.List or nnx.Dict"
        )
    if context.boundary and not _plain_class(cls):
        return for_beartype(cls)
    return Instance(cls, counts=context.boundary and scalars.is_number(cls))


def _plain_class(hint: type) -> bool:
    """Whether ``isinstance`` alone decides: the class is no protocol and no TypedDict."""
    return not (
        getattr(hint, "_is_protocol", False)
        or typing_extensions.is_typeddict(hint)
        or isinstance(hint, types.GenericAlias)
    )


def _generic(hint: Any, origin: Any, args: tuple[Any, ...], context: Context) -> Spec:
    if variable_class(origin):
        return Leaf(origin, held(args[0], context, parse))
    if isinstance(origin, type) and issubclass(origin, nnx.State):
        return StateOfSpec(parse(args[-1], context))
    if isinstance(origin, type) and issubclass(origin, np.ndarray):
        return Array("", None, None, np.ndarray)
    if origin is tuple:
        return _tuple(args, context)
    _check_count(hint, origin, args, context)
    if origin in ITEMS:
        item = parse(args[0], context)
        return own_or_for_beartype(hint, _items(origin, item), context)
    if origin in MAPPINGS:
        spec = MappingOf(origin, parse(args[0], context), parse(args[1], context))
        return own_or_for_beartype(hint, spec, context)
    if isinstance(origin, type):
        fields = record(origin, args, context, parse)
        if fields is not None:
            return fields
        items = _own_container(origin, args, context)
        if items is not None:
            return items
    if context.boundary:
        if origin not in _CONTRACTS and mentions_schema(hint):
            raise context.error(
                f"{show_hint(hint)} is not enforced: where its class keeps what is described "
                "is not known; a dataclass, NamedTuple or TypedDict says it by its fields"
            )
        return for_beartype(hint)
    if origin is type or not isinstance(origin, type):
        return _mistake(hint, context)
    return Instance(origin)


def _check_count(hint: Any, origin: Any, args: tuple[Any, ...], context: Context) -> None:
    takes = 2 if origin in MAPPINGS else 1
    if origin in (*ITEMS, *MAPPINGS, type) and len(args) != takes:
        noun = "argument" if takes == 1 else "arguments"
        said = f"{show_hint(hint)}: {origin.__name__} takes {takes} {noun}, not {len(args)}"
        raise context.error(said)


def _own_container(cls: Any, args: tuple[Any, ...], context: Context) -> Spec | None:
    """The spec of a subclass of a list, dict or other container, by the item hints of its base."""
    own: type = cls
    if own in _CONTAINERS or not issubclass(own, _CONTAINERS):
        return None
    table = {**context.typevars, **table_of(cls, args, context.typevars)}
    for one, typevars in tables_of_bases(cls, table).items():
        for base in original_bases(one):
            if get_origin(base) not in _CONTAINERS:
                continue
            spec = parse(put(base, typevars), replace(context, typevars=typevars))
            if not holds_state_or_array(spec):
                return None
            if isinstance(spec, ItemsOf | MappingOf):
                return replace(spec, cls=cls)
            predicate = Predicate(show_hint(cls), lambda value: isinstance(value, cls))
            return Validated(spec, (predicate,))
    return None


def _items(origin: type, item: Spec) -> Spec:
    if origin is not Iterable:
        return ItemsOf(origin, item)
    predicate = Predicate("an iterable", _is_other_iterable)
    return Union((ItemsOf(Collection, item), Validated(Anything(), (predicate,))))


def _is_other_iterable(value: Any) -> bool:
    """Whether a value is iterated over and no collection: an iterator would be used up."""
    return isinstance(value, Iterable) and not isinstance(value, Collection)


def _tuple(args: tuple[Any, ...], context: Context) -> Spec:
    if args in ((), ((),)):
        return TupleOf(())
    args = tuple(_spread(args))
    if args[-1] is Ellipsis:
        *first, rest, _ = args
        if Ellipsis not in first:
            return TupleOf(tuple(parse(arg, context) for arg in first), parse(rest, context))
    if Ellipsis in args:
        raise context.error("only the last items of a tuple may be of any number")
    return TupleOf(tuple(parse(arg, context) for arg in args))


def _spread(args: tuple[Any, ...]) -> Iterator[Any]:
    """Yields the arguments of a tuple, with those of ``*tuple[A, B]`` in its place."""
    for arg in args:
        is_starred = getattr(arg, "__unpacked__", False)
        inner = get_args(arg)[0] if get_origin(arg) in UNPACK else arg
        if inner is not arg or is_starred:
            yield from _spread(get_args(inner))
        else:
            yield arg


def _mistake(hint: Any, context: Context) -> Spec:
    """The message for an object that is no hint, with the likely fix."""
    if isinstance(hint, tuple):
        raise context.error("a tuple where a type was meant: is there a trailing comma?")
    if variables.is_variable(hint):
        name = variables.kind_of(hint).__name__
        raise context.error(f"an instance of {name}: give the class, nnx.{name}[...]")
    if variables.is_array(hint):
        raise context.error('an array: give its type, e.g. Float[Array, "din dout"]')
    if isinstance(hint, nnx.Module):
        name = type(hint).__name__
        raise context.error(f"an instance of {name}: give the schema of its state")
    if isinstance(hint, PartitionSpec):
        raise context.error("P(...) alone: write Annotated[nnx.Param[...], P(...)]")
    if context.boundary:
        return for_beartype(hint)
    if isinstance(hint, types.FunctionType | types.BuiltinFunctionType | types.LambdaType):
        raise context.error(f"the function {hint.__name__}: give a type")
    raise context.error(f"{shorten(hint)} is no type that a leaf can have")
