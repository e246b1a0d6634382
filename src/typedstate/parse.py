"""Annotation to spec: every hint is parsed once, here.

Schema classes and forms bring their own spec by `__typedstate_spec__`; everything else that
may stand behind a colon is recognised in `parse`. Nothing in a hint is ever called.
"""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import field, replace
from typing import Annotated, Any, Final, Literal, TypeGuard, TypeVar, cast, get_args, get_origin

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import typing_extensions
from flax import nnx
from jax.sharding import PartitionSpec

from . import dims, leaves
from .dataclass import dataclass
from .errors import SchemaError
from .spec import (
    Anything,
    Array,
    Guarded,
    InPlace,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    MappingOf,
    NoValue,
    OneOf,
    Predicate,
    Record,
    Spec,
    Tree,
    TupleOf,
    one_of,
    parts,
    present,
)

_UNIONS: Final = (typing.Union, types.UnionType)
_ITEMS: Final = (list, set, frozenset, Sequence, MutableSequence)
_MAPPINGS: Final = (dict, Mapping, MutableMapping)
_WRAPPERS: Final = (
    typing.Final,
    typing.ClassVar,
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)
#: The class of ``jnp.int32`` and its like.
_ScalarMeta: Final[Any] = cast(Any, type(jnp.int32))
_ANY_DTYPE: Final[Any] = cast(Any, jaxtyping.Shaped).dtypes
#: The syntax of Python 3.12 makes another class than ``typing_extensions`` has.
TYPE_ALIASES: Final = (
    typing_extensions.TypeAliasType,
    getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType),
)


class NotYet(NameError):
    """A name in an annotation that is not defined yet."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a hint stands.

    Attributes:
      owner: for messages: ``ModelState.blocks`` or ``step(state)``.
      names: where its forward references are looked up, in this order.
      typevars: what stands for the type variables of a generic schema.
      boundary: a hint of a function; what is no state or array there is beartype's.
    """

    owner: str
    names: tuple[Mapping[str, Any], ...] = ()
    typevars: Mapping[Any, Any] = field(default_factory=dict[Any, Any])
    boundary: bool = False

    def error(self, text: str) -> SchemaError:
        """A SchemaError that says where."""
        return SchemaError(f"{self.owner}: {text}")

    def resolve(self, text: str) -> Any:
        """Evaluates the text of an annotation, which is the user's own source code."""
        scope = _Names(self.names)
        try:
            return eval(text, {"__builtins__": __builtins__}, scope)
        except NameError as error:
            raise NotYet(str(error), name=error.name) from None
        except SchemaError:
            raise
        except Exception as error:  # whatever the annotation's own code raises
            reason = f"{type(error).__name__}: {error}"
            said = f"the annotation {text!r} can't be evaluated ({reason})"
            if self.boundary and isinstance(error, AttributeError):  # of a module half imported
                raise NotYet(said) from None
            raise self.error(said) from None


class _Names(dict[str, Any]):
    """Names from several mappings; the first that has one wins."""

    def __init__(self, mappings: tuple[Mapping[str, Any], ...]) -> None:
        super().__init__()
        self._mappings = mappings

    def __missing__(self, key: str) -> Any:
        for mapping in self._mappings:
            if key in mapping:
                return mapping[key]
        raise KeyError(key)


def parse(hint: Any, context: Context) -> Spec:
    """Parses a hint.

    Raises:
      SchemaError: it can mean nothing; names where it stands and the likely fix.
      NotYet: it refers to a name that is not defined yet.
    """
    own = getattr(hint, "__typedstate_spec__", None)
    if own is not None:
        return cast(Spec, own(context))
    if isinstance(hint, str):
        return parse(context.resolve(hint), context)
    if isinstance(hint, typing.ForwardRef):
        return parse(context.resolve(hint.__forward_arg__), context)
    if isinstance(hint, TypeVar):
        return _type_variable(hint, context)
    if hint is None or hint is types.NoneType:
        return NoValue()
    if hint is Any:
        return Anything()
    origin = get_origin(hint)
    if origin is Annotated:
        return _annotated(hint, context)
    if origin in _UNIONS:
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
    if origin in (*_ITEMS, *_MAPPINGS, tuple) and not get_args(hint) and not _is_empty_tuple(hint):
        return parse(origin, context)  # ``typing.List`` is ``list``
    if is_jaxtyped(hint):
        return array(hint, context)
    if origin is not None:
        return _generic(hint, origin, get_args(hint), context)
    if isinstance(hint, type):
        return _class(hint, context)
    return _mistake(hint, context)


def is_jaxtyped(hint: Any) -> TypeGuard[type]:
    """Whether a hint is an array hint such as ``Float[Array, "d"]``."""
    return isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)


def array(hint: Any, context: Context) -> Array:
    """Reads an array hint of jaxtyping back."""
    try:
        shape = dims.parse_shape(hint.dim_str)
    except dims.DimError as error:
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


def _dtype_class_of(scalar: Any) -> str:
    """The class of jaxtyping for a scalar type of ``jax.numpy``."""
    name = np.dtype(scalar.dtype).name
    classes = vars(jaxtyping)
    return next((key for key in classes if key.lower() == name), "Shaped")


def variable_class(hint: Any) -> TypeGuard[type]:
    """Whether a hint is a Variable class."""
    return isinstance(hint, type) and issubclass(hint, nnx.Variable)


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
    options: list[Spec] = []
    for arg in args:
        option = parse(arg, context)
        options += option.options if isinstance(option, OneOf) else (option,)
    return one_of(tuple(dict.fromkeys(options)))


def _class(hint: Any, context: Context) -> Spec:
    cls: Any = hint
    if variable_class(hint):
        return Leaf(hint, Anything())
    if issubclass(hint, jax.ShapeDtypeStruct):
        return Array("", None, None, None, abstract=True)
    if issubclass(hint, jax.Array | np.ndarray):
        return Array("", None, None, cls)
    if isinstance(hint, _ScalarMeta):
        raise context.error(
            f"jnp.{cls.__name__} is a dtype, of which nothing is an instance: write "
            f'{_dtype_class_of(cls)}[Array, ""]'
        )
    if dtype_class(hint) is not None:
        raise context.error(
            f'{hint.__name__} alone is no array: write {hint.__name__}[Array, "..."]'
        )
    if issubclass(hint, nnx.State):
        return Instance(cls) if context.boundary else Tree(Anything())
    if leaves.is_module_class(cls):  # also one that is a dataclass
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
        return opaque(cls)
    return Instance(cls)


def _plain_class(hint: type) -> bool:
    """Whether ``isinstance`` alone decides: the class is no protocol and no TypedDict."""
    return not (
        getattr(hint, "_is_protocol", False)
        or typing_extensions.is_typeddict(hint)
        or isinstance(hint, types.GenericAlias)
    )


def _is_empty_tuple(hint: Any) -> bool:
    return bool(hint == tuple[()] or hint == typing.Tuple[()])  # noqa: UP006


def _generic(hint: Any, origin: Any, args: tuple[Any, ...], context: Context) -> Spec:
    if variable_class(origin):
        return Leaf(origin, value(args[0], context))
    if isinstance(origin, type) and issubclass(origin, nnx.State):
        return Tree(parse(args[-1], context))
    if isinstance(origin, type) and issubclass(origin, np.ndarray):
        return Array("", None, None, np.ndarray)
    if origin is tuple:
        return _tuple(args, context)
    if origin in _ITEMS:
        item = parse(args[0], context)
        return _own_or_opaque(hint, ItemsOf(origin, item), context)
    if origin in _MAPPINGS:
        spec = MappingOf(origin, parse(args[0], context), parse(args[1], context))
        return _own_or_opaque(hint, spec, context)
    if isinstance(origin, type):
        record = _record(origin, context)
        if record is not None:
            return record
    if context.boundary:
        return opaque(hint)
    if origin is type or not isinstance(origin, type):
        return _mistake(hint, context)
    return Instance(origin)


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


def opaque(hint: Any) -> Spec:
    """A hint of a boundary that is beartype's to check."""

    def test(found: Any) -> bool:
        from beartype.door import is_bearable

        return is_bearable(found, hint)

    return Guarded(Anything(), (Predicate(_show_hint(hint), test),))


def _own_or_opaque(hint: Any, spec: Spec, context: Context) -> Spec:
    """At a boundary, containers without a state or an array in them are beartype's."""
    return opaque(hint) if context.boundary and not holds_ours(spec) else spec


def holds_ours(spec: Spec) -> bool:
    """Whether a state, a Variable or an array stands anywhere in a spec."""
    match spec:
        case Anything() | NoValue() | Instance() | Literally():
            return False
        case TupleOf() | ItemsOf() | MappingOf() | Guarded() | OneOf() | Record():
            return any(holds_ours(part) for part in parts(spec))
        case _:
            return True


def _show_hint(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _record(hint: Any, context: Context) -> Spec | None:
    """The fields of a NamedTuple, dataclass or TypedDict; at a boundary, where any is ours."""
    given: Any = hint
    if typing_extensions.is_typeddict(hint):
        required = frozenset[str](getattr(hint, "__required_keys__", ()))
        cls: type = dict
    elif _is_named_tuple(hint):
        required, cls = frozenset[str](hint._fields), hint
    elif dataclasses.is_dataclass(hint):
        required, cls = frozenset(item.name for item in dataclasses.fields(hint)), given
    else:
        return None
    fields: dict[str, Spec] = {}
    for base in reversed(given.__mro__):
        module = vars(sys.modules.get(base.__module__, types))
        inner = replace(
            context, owner=f"{context.owner} ({given.__name__})", names=(module, *context.names)
        )
        for name, item in _own_annotations(base).items():
            if get_origin(item) is typing.ClassVar or isinstance(item, dataclasses.InitVar):
                continue
            try:
                found = parse(item, inner)
                fields[name] = _or_traced(found) if context.boundary else found
            except (SchemaError, NotYet):
                if not context.boundary:
                    raise
                return None
    spec = Record(cls, tuple(fields.items()), required & set(fields))
    ours = any(holds_ours(item) for item in fields.values())
    return spec if ours or not context.boundary else None


def _or_traced(spec: Spec) -> Spec:
    """A Python number in a container that is a pytree becomes an array under ``jax.jit``."""
    match spec:
        case Instance(cls) if issubclass(cls, int | float | complex):
            return OneOf((spec, Array("", None, (), None)))
        case OneOf(options):
            return OneOf(tuple(dict.fromkeys(_or_traced(option) for option in options)))
        case _:
            return spec


def _is_named_tuple(cls: Any) -> bool:
    return issubclass(cls, tuple) and hasattr(cast(Any, cls), "_fields")


def _own_annotations(cls: type) -> dict[str, Any]:
    """The annotations of a class's own body."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return cast(dict[str, Any], vars(cls).get("__annotations__", {}))


def _annotated(hint: Any, context: Context) -> Spec:
    inner, *metadata = get_args(hint)
    if leaves.is_module_class(inner):
        schemas = [item for item in metadata if hasattr(item, "__typedstate_spec__")]
        if schemas:
            return InPlace(inner, parse(schemas[0], context))
        return Instance(inner)
    spec = parse(inner, context)
    for item in metadata:
        spec = _with_metadata(spec, item, context)
    return spec


def _with_metadata(spec: Spec, item: Any, context: Context) -> Spec:
    if isinstance(spec, OneOf) and NoValue() in spec.options:  # ``Annotated[X | None, ...]``
        return OneOf((_with_metadata(present(spec), item, context), NoValue()))
    if isinstance(item, PartitionSpec):
        names = leaves.axis_names(item)
        leaf = spec if isinstance(spec, Leaf) else None
        if leaf is None:
            raise context.error("P(...) describes a Variable: a raw leaf has no metadata")
        _check_names(leaf, item, context)
        return replace(leaf, names=names)
    if _is_validator(item):
        predicate = Predicate(_show_validator(item), item.is_valid)
        if isinstance(spec, Leaf):
            return replace(spec, predicates=(*spec.predicates, predicate))
        return Guarded(spec, (predicate,))
    if isinstance(spec, Leaf) and isinstance(spec.value, Anything) and _is_value_hint(item):
        return replace(spec, value=value(item, context))
    return spec


def _check_names(leaf: Leaf, item: PartitionSpec, context: Context) -> None:
    shape = leaf.value.shape if isinstance(leaf.value, Array) else None
    if shape is None or any(isinstance(dim, dims.Axes) for dim in shape):
        return
    if len(item) > len(shape):
        raise context.error(f"{item} has {len(item)} names for {len(shape)} axes")


def _is_validator(item: Any) -> bool:
    return callable(getattr(item, "is_valid", None)) and hasattr(item, "get_repr")


def _show_validator(item: Any) -> str:
    text = " ".join(repr(item).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_value_hint(item: Any) -> bool:
    """Whether metadata says what a Variable holds whose class can't be subscripted."""
    if get_origin(item) in (*_UNIONS, *_ITEMS, *_MAPPINGS, tuple):
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
        or _is_named_tuple(cls)
    )


def _mistake(hint: Any, context: Context) -> Spec:
    """Says what is wrong with something that is no hint, and the likely fix."""
    if isinstance(hint, tuple):
        raise context.error("a tuple where a type was meant: is there a trailing comma?")
    if leaves.is_variable(hint):
        name = leaves.kind_of(hint).__name__
        raise context.error(f"an instance of {name}: give the class, nnx.{name}[...]")
    if leaves.is_array(hint):
        raise context.error('an array: give its type, e.g. Float[Array, "din dout"]')
    if isinstance(hint, nnx.Module):
        name = type(hint).__name__
        raise context.error(f"an instance of {name}: give the schema of its state")
    if isinstance(hint, PartitionSpec):
        raise context.error("P(...) alone: write Annotated[nnx.Param[...], P(...)]")
    if context.boundary:
        return opaque(hint)
    if isinstance(hint, types.FunctionType | types.BuiltinFunctionType | types.LambdaType):
        raise context.error(f"the function {hint.__name__}: give a type")
    raise context.error(f"{_shorten(hint)} is no type that a leaf can have")


def _shorten(value: object) -> str:
    text = repr(value).replace("\n", " ")
    return text if len(text) <= 80 else f"{text[:77]}..."
