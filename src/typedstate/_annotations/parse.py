"""Annotation to spec: every hint is parsed once, here.

Schema classes and forms bring their own spec by `__typedstate_spec__`; everything else that
may stand behind a colon is recognised in `parse`. Nothing in a hint is ever called.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
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
from typing import Annotated, Any, Final, Literal, TypeVar, assert_never, cast, get_args, get_origin

import jax
import numpy as np
import typing_extensions
from flax import nnx
from jax.sharding import PartitionSpec
from msgspec.structs import replace

from .._compat import axis_rules, modules, scalars, variables
from .._spec import dims
from .._spec.nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Conditional,
    EntriesSpec,
    FlatSpec,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    Partition,
    Predicate,
    RecordOf,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)
from .._spec.questions import one_of, parts, present
from ..errors import SchemaError, leave_alone
from .array_hints import array, dtype_class, dtype_class_of, is_jaxtyped
from .context import Context, NotYet
from .hint_kinds import (
    ITEMS,
    MAPPINGS,
    TYPE_ALIASES,
    UNIONS,
    is_empty_tuple,
    is_named_tuple,
    is_validator,
    is_value_hint,
    shorten,
    show_validator,
    variable_class,
)
from .lazy_annotations import fields_of

#: What these take and give shows when they are used: it is left to type checkers.
_CONTRACTS: Final = (
    *(Callable, type, Iterator, Generator, Awaitable, Coroutine),
    *(AsyncIterable, AsyncIterator, AsyncGenerator),
    *(contextlib.AbstractContextManager, contextlib.AbstractAsyncContextManager),
    *(typing_extensions.TypeGuard, typing_extensions.TypeIs, getattr(typing, "TypeGuard", None)),
    getattr(typing, "TypeIs", None),
)
#: Packages whose annotations are for readers: a value of their classes may hold something else.
_LIBRARIES: Final = frozenset({"jax", "jaxlib", "flax", "optax", "orbax", "chex", "numpy"})
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
        return _annotated(hint, context)
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
    return _flat_union(parse(arg, context) for arg in args)


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
    record = _record(cls, context)
    if record is not None:
        return record
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
        return Leaf(origin, value(args[0], context))
    if isinstance(origin, type) and issubclass(origin, nnx.State):
        return StateOfSpec(parse(args[-1], context))
    if isinstance(origin, type) and issubclass(origin, np.ndarray):
        return Array("", None, None, np.ndarray)
    if origin is tuple:
        return _tuple(args, context)
    if origin in ITEMS:
        item = parse(args[0], context)
        return _own_or_for_beartype(hint, _items(origin, item), context)
    if origin in MAPPINGS:
        spec = MappingOf(origin, parse(args[0], context), parse(args[1], context))
        return _own_or_for_beartype(hint, spec, context)
    if isinstance(origin, type):
        params = getattr(origin, "__parameters__", ())
        given = dict(zip(params, args, strict=False))
        record = _record(origin, replace(context, typevars={**context.typevars, **given}))
        if record is not None:
            return record
    if context.boundary:
        if origin not in _CONTRACTS and mentions_schema(hint):
            raise context.error(
                f"{_show_hint(hint)} is not enforced: where its class keeps what is described "
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


def mentions_schema(hint: Any) -> bool:
    """Whether a schema or a form stands anywhere in a hint."""
    if hasattr(hint, "__typedstate_spec__"):
        return True
    inner = cast(Any, hint) if isinstance(hint, list) else get_args(hint)
    return any(mentions_schema(arg) for arg in inner)


def _tuple(args: tuple[Any, ...], context: Context) -> Spec:
    if args in ((), ((),)):
        return TupleOf(())
    if len(args) == 2 and args[1] is Ellipsis:
        return TupleOf((), parse(args[0], context))
    return TupleOf(tuple(parse(arg, context) for arg in args))


def value(hint: Any, context: Context) -> Spec:
    """Parses what a Variable holds."""
    spec = parse(hint, context)
    if isinstance(spec, Leaf):
        raise context.error("a Variable holds no Variable: give the type of its value")
    return spec


def for_beartype(hint: Any) -> Spec:
    """A hint of a boundary that is beartype's to check."""

    def test(found: Any) -> bool:
        from beartype.door import is_bearable
        from beartype.roar import BeartypeException

        try:
            return is_bearable(found, hint) or scalars.fits(found, hint)
        except BeartypeException:  # e.g. of a protocol that is not runtime-checkable
            return True

    return Validated(Anything(), (Predicate(_show_hint(hint), test),))


def _own_or_for_beartype(hint: Any, spec: Spec, context: Context) -> Spec:
    """At a boundary, containers without a state or an array in them are beartype's."""
    return for_beartype(hint) if context.boundary and not holds_state_or_array(spec) else spec


def holds_state_or_array(spec: Spec) -> bool:
    """Whether a state, a Variable or an array stands anywhere in a spec."""
    match spec:
        case Anything() | NoValue() | Instance() | Literally():
            return False
        case TupleOf() | ItemsOf() | MappingOf() | Validated() | Union() | RecordOf():
            return any(holds_state_or_array(part) for part in parts(spec))
        case (
            Array()
            | Partition()
            | Leaf()
            | Node()
            | Map()
            | EntriesSpec()
            | StateOfSpec()
            | Bound()
            | Argument()
            | Within()
            | ScopedSpec()
            | SameSpec()
            | FlatSpec()
            | Conditional()
            | ModuleState()
        ):
            return True
        case _:
            assert_never(spec)


def _show_hint(hint: Any) -> str:
    """A hint as its user wrote it, without the modules of its classes."""
    if isinstance(hint, type) and not get_args(hint):
        return hint.__name__
    text = str(cast(Any, hint)).replace("typing.", "")
    return re.sub(r"\b(?:\w+\.)+(?:<locals>\.)?(\w+)", r"\1", text)


def _record(hint: Any, context: Context) -> Spec | None:
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
            fields[name] = _field_of(base, name, item, inner, is_foreign)
    if not context.boundary:
        return RecordOf(cls, tuple(fields.items()), required & set(fields))
    if not any(map(holds_state_or_array, fields.values())):
        return None
    judged = ((name, or_array(item)) for name, item in fields.items())
    return RecordOf(cls, tuple(judged), required & set(fields))


def _field_of(cls: type, name: str, hint: Any, context: Context, is_foreign: bool) -> Spec:
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


def or_array(spec: Spec) -> Spec:
    """The same with arrays without axes for Python's numbers, as ``jax.jit`` returns them."""
    match spec:
        case Instance(cls) if scalars.is_number(cls) and not scalars.IS_STRICT:
            return Union((spec, Array(*scalars.dtypes_of(cls), (), None)))
        case Union(options):
            return _flat_union(map(or_array, options))
        case TupleOf(items, rest):
            return TupleOf(tuple(map(or_array, items)), None if rest is None else or_array(rest))
        case ItemsOf(item=item):
            return replace(spec, item=or_array(item))
        case MappingOf(value=value_):
            return replace(spec, value=or_array(value_))
        case (
            Anything()
            | NoValue()
            | Instance()
            | Literally()
            | Array()
            | RecordOf()
            | Partition()
            | Validated()
            | Leaf()
            | Node()
            | Map()
            | EntriesSpec()
            | StateOfSpec()
            | Bound()
            | Argument()
            | Within()
            | ScopedSpec()
            | SameSpec()
            | FlatSpec()
            | Conditional()
            | ModuleState()
        ):
            return spec
        case _:
            assert_never(spec)


def _flat_union(options: Iterable[Spec]) -> Spec:
    flat: list[Spec] = []
    for option in options:
        flat += option.options if isinstance(option, Union) else (option,)
    return one_of(tuple(dict.fromkeys(flat)))


def _annotated(hint: Any, context: Context) -> Spec:
    inner, *metadata = get_args(hint)
    schemas = [item for item in metadata if hasattr(item, "__typedstate_spec__")]
    if len(schemas) > 1:
        raise context.error(f"{_show_hint(hint)} has two schemas: which one is meant?")
    if schemas:
        return _described(inner, schemas[0], context)
    if modules.is_module_class(inner):
        return Instance(inner)
    spec = parse(inner, context)
    for item in metadata:
        spec = _with_metadata(spec, item, context)
    return spec


def _described(inner: Any, schema: Any, context: Context) -> Spec:
    """``Annotated[Module, S]``: S says what the state of a module is, or what a tree is."""
    while isinstance(inner, typing.NewType):
        inner = inner.__supertype__
    if isinstance(inner, str | typing.ForwardRef):
        inner = context.resolve(inner if isinstance(inner, str) else inner.__forward_arg__)
    if isinstance(inner, TypeVar):
        inner = context.typevars.get(inner, inner.__bound__ or Any)
    origin = get_origin(inner) or inner
    if origin in UNIONS:
        options = (
            NoValue() if arg is types.NoneType else _described(arg, schema, context)
            for arg in get_args(inner)
        )
        return one_of(tuple(dict.fromkeys(options)))
    if modules.is_module_class(origin):
        return ModuleState(origin, parse(schema, context))
    if inner in (Any, object):
        return parse(schema, context)
    if isinstance(origin, type) and issubclass(origin, (nnx.State, *MAPPINGS)):
        predicate = Predicate(_show_hint(origin), lambda value: isinstance(value, origin))
        return Validated(parse(schema, context), (predicate,))
    said, described = _show_hint(inner), _show_hint(schema)
    hint = f"a schema describes the state of a module, or a tree: not {said}"
    args = [arg for arg in get_args(inner) if modules.is_module_class(get_origin(arg) or arg)]
    if args:
        text = said.replace(_show_hint(args[0]), f"Annotated[{_show_hint(args[0])}, {described}]")
        hint = f"write {text}"
    raise context.error(f"Annotated[{said}, {described}]: {hint}")


def _with_metadata(spec: Spec, item: Any, context: Context) -> Spec:
    if isinstance(spec, Union) and NoValue() in spec.options:  # ``Annotated[X | None, ...]``
        return Union((_with_metadata(present(spec), item, context), NoValue()))
    if isinstance(item, PartitionSpec):
        names = axis_rules.axis_names(item)
        leaf = spec if isinstance(spec, Leaf) else None
        if leaf is None:
            raise context.error("P(...) describes a Variable: a raw leaf has no metadata")
        _check_names(leaf, item, context)
        return replace(leaf, names=names)
    if is_validator(item):
        predicate = Predicate(show_validator(item), item.is_valid)
        if isinstance(spec, Leaf):
            return replace(spec, predicates=(*spec.predicates, predicate))
        return Validated(spec, (predicate,))
    if isinstance(spec, Leaf) and isinstance(spec.value, Anything) and is_value_hint(item):
        return replace(spec, value=value(item, context))
    return spec


def _check_names(leaf: Leaf, item: PartitionSpec, context: Context) -> None:
    shape = leaf.value.shape if isinstance(leaf.value, Array) else None
    if shape is None or any(isinstance(dim, dims.VariadicDim) for dim in shape):
        return
    if len(item) > len(shape):
        raise context.error(f"{item} has {len(item)} names for {len(shape)} axes")


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
