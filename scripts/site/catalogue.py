"""The page of the catalogue: every schema of `typedstate.layers` with its dims and fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final, TypeVar, get_args

from typedstate import TypedState, layers
from typedstate._spec.describe import describe
from typedstate._spec.nodes import Node, Schema
from typedstate._spec.questions import schema_names
from typedstate.pictures.schema_outline import of_spec
from typedstate.report import show_key

_OPTIMIZERS: Final = ("optimizer", "transformation", "wrapper", "raw")
#: Names for what several schemas have in common, of which no class speaks.
_ALIASES: Final = {
    "Chain": "The state of `optax.chain`: an entry for each part, None for what keeps none.",
    "Maskable": "Parameters some of which `optax.masked` has left out.",
    "Moment": "Parameters as an optimizer keeps a moment of them, perhaps in another dtype.",
    "MultiMetricState": "The state of `nnx.MultiMetric`.",
    "RngsState": "The state of `nnx.Rngs`.",
}


def catalogue() -> Iterator[str]:
    """Yields the page: layers, metrics, optimizers."""
    groups: dict[str, list[str]] = {"Layers": [], "Metrics": [], "Optimizers": []}
    for name in sorted(layers.__all__, key=str.lower):
        groups[_group(name, getattr(layers, name))].append(name)
    for title, names in groups.items():
        yield f"## {title}\n"
        yield f"{' · '.join(f'[{name}](#{name})' for name in names)}\n"
        for name in names:
            yield from _entry(name, getattr(layers, name))


def _group(name: str, cls: Any) -> str:
    home = str(getattr(cls, "__module__", "")).rpartition(".")[2]
    if home == "metrics" or name == "MultiMetricState":
        return "Metrics"
    return (
        "Optimizers" if home in _OPTIMIZERS or name in ("Chain", "Maskable", "Moment") else "Layers"
    )


def _entry(name: str, cls: Any) -> Iterator[str]:
    given = ", ".join(one.__name__ for one in getattr(cls, "__parameters__", ()))
    yield f"### {name}{f'[{given}]' if given else ''} {{ #{name} }}\n"
    text, _, _ = (inspect.getdoc(cls) or "").partition("\n\nFields:\n")
    yield f"{_ALIASES.get(name, _plain(text))}\n"
    schema = _schema(cls)
    if schema is None:
        if name in _ALIASES:
            yield f"`{describe_alias(cls)}`\n"
        return
    dims = schema_names(schema)
    if dims and "Dims:" not in text:
        yield f"Dims: {', '.join(f'`{dim}`' for dim in dims)}\n"
    yield "| key | what stands there |"
    yield "| --- | --- |"
    yield from (f"| `{key}` | {text} |" for key, text in _fields(schema, cls))
    yield ""


def describe_alias(cls: Any) -> str:
    """An alias as its user would write it."""
    name = cls.__name__ if isinstance(cls, type) else repr(cls)
    return name.replace("~", "")


def _schema(cls: Any) -> Schema | None:
    if not isinstance(cls, type) or not issubclass(cls, TypedState):
        return None
    spec = cls.__typedstate_spec__()
    return spec.ref.resolve() if isinstance(spec, Node) else None


def _fields(schema: Schema, cls: Any) -> Iterator[tuple[str, str]]:
    parameters = getattr(cls, "__parameters__", ())
    for field in schema.fields:
        outline = of_spec(field.spec)
        text = outline.told if outline.below else describe(field.spec)
        if open_names := list(_open_names(cls, field.name)):  # what the class leaves open
            text = open_names[0] if text == "Any" else text
        if len(parameters) == 1:
            text = text.replace("[Any]", f"[{parameters[0].__name__}]")
        optional = ", may be absent" if field.optional else ""
        key = field.key if isinstance(field.key, str) else show_key(field.key)
        yield str(key), f"`{text}`{optional}"


def _open_names(cls: Any, name: str) -> Iterator[str]:
    for base in cls.__mro__:
        if (hint := inspect.get_annotations(base).get(name)) is not None:
            for part in (hint, *get_args(hint)):
                if isinstance(part, TypeVar):
                    yield part.__name__
            return


def _plain(text: str) -> str:
    """A docstring in Markdown."""
    return text.replace("``", "`")
