"""Annotation to spec: every hint is parsed once, here.

Schema classes and forms bring their own spec by `__typedstate_spec__`; everything else that
may stand behind a colon is recognised in `parse`. Nothing in a hint is ever called.
"""

from __future__ import annotations

import contextlib
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
    is_empty_tuple,
    shorten,
    variable_class,
)
from .records import record

#: What these take and give shows when they are used: it is left to type checkers.
_CONTRACTS: Final = (
    *(Callable, type, Iterator, Generator, Awaitable, Coroutine),
    *(AsyncIterable, AsyncIterator, AsyncGenerator),
    *(contextlib.AbstractContextManager, contextlib.AbstractAsyncContextManager),
    *(typing_extensions.TypeGuard, typing_extensions.TypeIs, getattr(typing, "TypeGuard", None)),
    getattr(typing, "TypeIs", None),
)

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
        if context.boundary and text in context.inside:  # an alias within itself
            return Anything()
        inner = replace(context, inside=(*context.inside, text)) if context.boundary else context
        return parse(context.resolve(text), inner)
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
    if origin is Literal:
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
    bound = hint.__bound__
    return Anything() if bound is None else parse(bound, context)


def _alias(alias: Any, args: tuple[Any, ...], context: Context) -> Spec:
    params = getattr(alias, "__type_params__", ())
    given = {
        param: context.typevars.get(arg, arg) if isinstance(arg, TypeVar) else arg
        for param, arg in zip(params, args, strict=False)
    }
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
    fields = record(cls, context, parse)
    if fields is not None:
        return fields
    if hint in (list, tuple, set, frozenset, dict) and not context.boundary:
        raise context.error(
            f"{hint.__name__} says nothing about its leaves: write {hint.__name__}[...], "
            "or StateMap[...] for the entries of an nnx.List or nnx.Dict"
        )
    if context.boundary and not _plain_class(cls):
        return for_beartype(cls)
    return Instance(cls, numpy=context.boundary and scalars.is_number(cls))


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
    if origin in ITEMS:
        item = parse(args[0], context)
        return own_or_for_beartype(hint, _items(origin, item), context)
    if origin in MAPPINGS:
        spec = MappingOf(origin, parse(args[0], context), parse(args[1], context))
        return own_or_for_beartype(hint, spec, context)
    if isinstance(origin, type):
        params = getattr(origin, "__parameters__", ())
        given = dict(zip(params, args, strict=False))
        fields = record(origin, replace(context, typevars={**context.typevars, **given}), parse)
        if fields is not None:
            return fields
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


def _items(origin: type, item: Spec) -> Spec:
    if origin is not Iterable:
        return ItemsOf(origin, item)
    # an iterator would be used up
    predicate = Predicate("an iterator", lambda value: isinstance(value, Iterator))
    return Union((ItemsOf(Collection, item), Validated(Anything(), (predicate,))))


def _tuple(args: tuple[Any, ...], context: Context) -> Spec:
    if args in ((), ((),)):
        return TupleOf(())
    if len(args) == 2 and args[1] is Ellipsis:
        return TupleOf((), parse(args[0], context))
    return TupleOf(tuple(parse(arg, context) for arg in args))


def _mistake(hint: Any, context: Context) -> Spec:
    """Says what is wrong with something that is no hint, and the likely fix."""
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
