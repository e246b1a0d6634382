"""``Annotated[X, ...]``: axis names, validators, the type of a value, the schema of a module."""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar, get_args, get_origin

from flax import nnx
from jax.sharding import PartitionSpec
from msgspec.structs import replace

from .._compat import axis_rules, modules
from .._compat.storage import sums_of
from .._spec import dims
from .._spec.leaf_conditions import Predicate
from .._spec.nodes import (
    Anything,
    Array,
    FlatSpec,
    Instance,
    Leaf,
    ModuleState,
    NoValue,
    Spec,
    Union,
    Validated,
)
from .._spec.questions import container_of, one_of, present
from .boundary_hints import mentions_schema, show_hint
from .context import Context, NotYet, Parse
from .hint_kinds import MAPPINGS, UNIONS, is_validator, is_value_hint, show_validator


def annotated(hint: Any, context: Context, parse: Parse) -> Spec:
    inner, *metadata = get_args(hint)
    schemas = [item for item in metadata if hasattr(item, "__typedstate_spec__")]
    for item in metadata:
        if item not in schemas and get_origin(item) and mentions_schema(item):
            text = f"behind a type stands the schema itself, not {show_hint(item)}"
            raise context.error(f"{show_hint(hint)}: {text}")
    if len(schemas) > 1:
        raise context.error(f"{show_hint(hint)} has two schemas: which one is meant?")
    if schemas:
        spec = _described(inner, schemas[0], context, parse)
        for item in filter(is_validator, metadata):
            spec = _with_metadata(spec, item, context, parse)
        return spec
    if modules.is_module_class(inner):
        return Instance(inner)
    spec = parse(inner, context)
    for item in metadata:
        spec = _with_metadata(spec, item, context, parse)
    return spec


def _described(inner: Any, schema: Any, context: Context, parse: Parse) -> Spec:
    """``Annotated[Module, S]``: S describes the state of a module, or a tree."""
    while isinstance(inner, typing.NewType):
        inner = inner.__supertype__
    if isinstance(inner, str | typing.ForwardRef):
        inner = context.resolve(inner if isinstance(inner, str) else inner.__forward_arg__)
    if isinstance(inner, TypeVar):
        inner = context.typevars.get(inner, inner.__bound__ or Any)
    origin = get_origin(inner) or inner
    if origin in UNIONS:
        options = (
            NoValue() if arg is types.NoneType else _described(arg, schema, context, parse)
            for arg in get_args(inner)
        )
        return one_of(tuple(dict.fromkeys(options)))
    if modules.is_module_class(origin):
        spec = parse(schema, context)
        if _is_of_dicts(spec):
            text = f"a module is no dict: {show_hint(schema)} alone describes one"
            raise context.error(f"Annotated[{show_hint(inner)}, {show_hint(schema)}]: {text}")
        return ModuleState(origin, spec)
    if inner in (Any, object):
        return parse(schema, context)
    if isinstance(origin, type) and issubclass(origin, (nnx.State, *MAPPINGS)):
        predicate = Predicate(show_hint(origin), lambda value: isinstance(value, origin))
        return Validated(parse(schema, context), (predicate,))
    said, described = show_hint(inner), show_hint(schema)
    hint = f"a schema describes the state of a module, or a tree: not {said}"
    args = [arg for arg in get_args(inner) if modules.is_module_class(get_origin(arg) or arg)]
    if args:
        text = said.replace(show_hint(args[0]), f"Annotated[{show_hint(args[0])}, {described}]")
        hint = f"write {text}"
    raise context.error(f"Annotated[{said}, {described}]: {hint}")


def _is_of_dicts(spec: Spec) -> bool:
    """Whether only a dict fits, whose keys are not those of a module: `Pure`, `Flat`."""
    if isinstance(spec, Union):
        return all(map(_is_of_dicts, spec.options))
    if isinstance(spec, FlatSpec):
        return True
    try:
        return container_of(spec) == "dict"
    except NotYet:
        return False


def _with_metadata(spec: Spec, item: Any, context: Context, parse: Parse) -> Spec:
    if isinstance(spec, Union) and NoValue() in spec.options:  # ``Annotated[X | None, ...]``
        return Union((_with_metadata(present(spec), item, context, parse), NoValue()))
    if isinstance(item, PartitionSpec):
        names = axis_rules.axis_names(item)
        leaf = spec if isinstance(spec, Leaf) else None
        if leaf is None:
            raise context.error("P(...) describes a Variable: a raw leaf has no metadata")
        _check_names(leaf, item, context)
        sums, memory = sums_of(item), leaf.storage.memory_kind
        return replace(leaf, names=names, storage=replace(sums, memory_kind=memory))
    if is_validator(item):
        predicate = Predicate(show_validator(item), item.is_valid)
        if isinstance(spec, Leaf):
            return replace(spec, predicates=(*spec.predicates, predicate))
        return Validated(spec, (predicate,))
    if isinstance(spec, Leaf) and isinstance(spec.value, Anything) and is_value_hint(item):
        return replace(spec, value=held(item, context, parse))
    return spec


def _check_names(leaf: Leaf, item: PartitionSpec, context: Context) -> None:
    shape = leaf.value.shape if isinstance(leaf.value, Array) else None
    if shape is None or any(isinstance(dim, dims.VariadicDim) for dim in shape):
        return
    if len(item) > len(shape):
        raise context.error(f"{item} has {len(item)} names for {len(shape)} axes")


def held(hint: Any, context: Context, parse: Parse) -> Spec:
    """Parses the hint of a Variable's value."""
    spec = parse(hint, context)
    if isinstance(spec, Leaf):
        raise context.error("a Variable holds no Variable: give the type of its value")
    return spec
