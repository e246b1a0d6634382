"""Writes what the mypy plugin knows of Flax's layers, read from the schemas of `typedstate.layers`.

    python scripts/layer_table.py > src/typedstate/mypy_plugin/layer_table.py

A test compares the committed table with what this prints.
"""

from __future__ import annotations

import inspect
import typing
from types import UnionType
from typing import Any

from flax import nnx

from typedstate import Exactly, TypedState, layers

HEAD = '''\
"""The state of each of Flax's layers, by attribute; written by ``scripts/layer_table.py``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: The attributes that have a state, and what may stand there: Variable classes, "array" for a raw
#: one, "rngs" for streams, "any" for what depends on the construction, "" where it may be None.
LAYERS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
'''
TAIL = ")\n"


#: Layers that the Flax of constraints.txt does not have yet.
NEWER = {"RoPEState": "flax.nnx.nn.attention.RoPE"}


def parts(hint: Any) -> tuple[str, ...]:
    """What may stand under a key."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is type(None):
        return ("",)
    if origin in (typing.Union, UnionType):
        return tuple(dict.fromkeys(part for one in arguments for part in parts(one)))
    if origin is typing.Annotated:
        return parts(arguments[0])
    written: Any = getattr(hint, "__typedstate_written__", None)
    if written is not None and written[0] is Exactly:
        return parts(written[1][0])
    cls = origin if isinstance(origin, type) else hint
    if isinstance(cls, type) and issubclass(cls, nnx.Variable):
        return (f"{cls.__module__}.{cls.__qualname__}",)
    if isinstance(cls, type) and issubclass(cls, TypedState):
        layer = layer_of(cls)
        return ("any",) if layer is None else (f"{layer.__module__}.{layer.__qualname__}",)
    return ("array",) if type(hint).__module__.startswith("jaxtyping") else ("any",)


def layer_of(schema: type) -> type | None:
    """The layer whose state a schema describes."""
    name = schema.__name__.removesuffix("State")
    found = getattr(nnx, name, None) or getattr(nnx.metrics, name, None)
    is_layer = isinstance(found, type) and issubclass(found, nnx.Object | nnx.Module)
    return found if is_layer else None


def fields(schema: type) -> dict[str, tuple[str, ...]]:
    """The attributes of a layer that have a state."""
    hints = typing.get_type_hints(schema, include_extras=True)
    return {
        name: ("rngs", "") if name == "rngs" else parts(hint)
        for name, hint in hints.items()
        if not name.startswith("_") and typing.get_origin(hint) is not typing.ClassVar
    }


def table() -> dict[str, dict[str, tuple[str, ...]]]:
    """All layers that the catalogue has a schema for."""
    found = {}
    for name in sorted(layers.__all__):
        schema = getattr(layers, name)
        if inspect.isclass(schema) and issubclass(schema, TypedState):
            layer = layer_of(schema)
            path = "" if layer is None else f"{layer.__module__}.{layer.__qualname__}"
            path = NEWER.get(name, path)
            if path.startswith("flax.nnx."):
                found[path] = fields(schema)
    return found


def text() -> str:
    """The module that the plugin reads."""
    lines = []
    for layer, known in table().items():
        lines.append(f'        "{layer}": {{')
        for name, found in known.items():
            items = ", ".join(f'"{part}"' for part in found)
            lines.append(f'            "{name}": ({items}{"," if len(found) == 1 else ""}),')
        lines.append("        },")
    body = "\n".join(lines)
    return f"{HEAD}    {{\n{body}\n    }}\n{TAIL}"


if __name__ == "__main__":
    print(text(), end="")
