"""`Declaration`: one annotation of a schema's body, with the mistakes that can be seen in it.

`typed_state` gathers declarations, and parses them once their names are known.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Hashable, Mapping
from types import FunctionType, NoneType, UnionType
from typing import Annotated, Any, Final, get_args

import msgspec
from flax import nnx

from .._annotations.context import Context
from .._annotations.parse import parse
from .._spec.nodes import Field, NoValue, Union
from .._spec.questions import present
from ..errors import SchemaError

_RESERVED: Final = frozenset({name for name in dir(nnx.State) if not name.startswith("_")} | {"of"})
_ALLOWED_IN_BODY: Final = frozenset(
    {"__module__", "__qualname__", "__doc__", "__annotations__", "__orig_bases__"}
    | {"__type_params__", "__parameters__", "__static_attributes__", "__firstlineno__"}
    | {"__classcell__", "__annotate__", "__annotate_func__", "__conditional_annotations__"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Alias:
    """The state's key, where it can't be the attribute: ``Annotated[X, Alias("values")]``.

    Attributes:
      key: the key: a str, an int, or a tuple that is one key.
    """

    key: Hashable


@dataclasses.dataclass(frozen=True, slots=True)
class Shared:
    """A Variable that lives elsewhere too: absent in a state, identical on a module.

    Attributes:
      path: the path of the first occurrence from the root, as reports show it:
        ``"embed.embedding"``, ``"blocks[0].norm.scale"``.
    """

    path: str


class Declaration(msgspec.Struct, frozen=True):
    """One annotation of a class body, before it is parsed.

    Attributes:
      owner: the name of the class that wrote it.
      raw: the annotation, or its text.
      module: the name of the class's module.
      local: the local classes of the function around the class, by name.
      typevars: the arguments of the type variables of a generic base.
    """

    owner: str
    raw: Any
    module: str
    local: Mapping[str, Any] = msgspec.field(default_factory=dict[str, Any])
    typevars: Mapping[Any, Any] = msgspec.field(default_factory=dict[Any, Any])


def parse_field(name: str, raw: Any, context: Context) -> Field:
    """Parses an annotation: key, spec, whether it may be absent.

    Raises:
      SchemaError: it can mean nothing.
      NotYet: it refers to a name that is not defined yet.
    """
    hint = raw
    while isinstance(hint, str | typing.ForwardRef):
        text = hint if isinstance(hint, str) else hint.__forward_arg__
        hint = context.resolve(text)
    alias, shared = _metadata(hint, Alias), _metadata(hint, Shared)
    for item in _all_metadata(hint):
        if item in (Alias, Shared):
            raise context.error(f"the class {item.__name__}: write {item.__name__}(...)")
    spec = parse(hint, context)
    optional = False
    if isinstance(spec, Union) and NoValue() in spec.options:
        spec, optional = present(spec), True
    key = name if alias is None else alias.key
    _refuse_key(key, context)
    return Field(name, key, spec, optional, None if shared is None else shared.path)


def _refuse_key(key: Hashable, context: Context) -> None:
    try:
        hash(key)
    except TypeError:
        raise context.error(f"Alias({key!r}): a key is hashable, e.g. a str") from None


def _metadata(hint: Any, cls: type) -> Any:
    """The metadata of a class in the ``Annotated`` of a field, None without."""
    return next((item for item in _all_metadata(hint) if isinstance(item, cls)), None)


def _all_metadata(hint: Any) -> tuple[Any, ...]:
    """The metadata of ``Annotated[X, ...]`` and of ``Annotated[X, ...] | None``."""
    if typing.get_origin(hint) in (typing.Union, UnionType):
        present = [arg for arg in get_args(hint) if arg is not NoneType]
        return _all_metadata(present[0]) if len(present) == 1 else ()
    return get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()


def refuse_body(name: str, raw: dict[str, Any], namespace: dict[str, Any]) -> None:
    """A schema has fields and nothing else: no defaults, methods or values."""
    for key, value in namespace.items():
        if key in _ALLOWED_IN_BODY or (key.startswith("__") and key.endswith("__")):
            continue
        if key in raw:
            raise SchemaError(
                f"{name}.{key}: a field has no default; where it may be absent write "
                f"{key}: ... | None"
            )
        if isinstance(value, FunctionType | classmethod | staticmethod | property):
            raise SchemaError(
                f"{name}.{key}: a schema has no methods, as its values stay plain nnx.States; "
                "write a function of the state"
            )
        comma = " (and is there a trailing comma?)" if isinstance(value, tuple) else ""
        raise SchemaError(f"{name}.{key}: write {key}: ..., not {key} = ...{comma}")


def refuse_name(name: str, key: str, hint: Any) -> None:
    """A method of ``nnx.State`` hides the field of its name."""
    aliased = "Alias(" in hint if isinstance(hint, str) else _metadata(hint, Alias) is not None
    if key in _RESERVED and not aliased:
        raise SchemaError(
            f"{name}.{key}: nnx.State has a method of that name; write "
            f'{key}_: Annotated[..., Alias("{key}")]'
        )


def refuse_twins(name: str, fields: tuple[Field, ...]) -> None:
    """Each key stands for one field."""
    seen: dict[Hashable, str] = {}
    for item in fields:
        if item.key in seen:
            raise SchemaError(
                f"{name}.{item.name}: the key {item.key!r} is that of {name}.{seen[item.key]} too"
            )
        seen[item.key] = item.name
