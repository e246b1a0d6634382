"""Schemas of the catalogue whose dims link to nothing: a `Bind` that was forgotten, perhaps.

The warning is for those who ask for it: where a filter of `warnings` names its class.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Final, cast

from .._spec.node_groups import OneChildSpec
from .._spec.nodes import Bound, EntriesSpec, Map, Node, Schema, ScopedSpec, Spec, Union
from .._spec.questions import own_names, root_of, schema_names
from ..errors import UnlinkedDimsWarning

_CATALOGUE: Final = "typedstate.layers"


def is_asked_for() -> bool:
    """Whether a filter of `warnings` names the class of the warning."""
    for action, _, category, *_ in warnings.filters:
        if category is UnlinkedDimsWarning:
            return action != "ignore"
    return False


def warn_unlinked(cls: type, schema: Schema) -> None:
    """Warns of each field or pattern of a schema class whose dims link to nothing."""
    module = sys.modules.get(cls.__module__)
    if module is None or cls.__module__.startswith(_CATALOGUE):
        return
    for field, found, dims in _unlinked(schema):
        warnings.warn_explicit(
            unlinked_text(f"{schema.name}.{field}", found, dims),
            UnlinkedDimsWarning,
            getattr(module, "__file__", None) or cls.__module__,
            _line_of(cls),
            registry=vars(module).setdefault("__warningregistry__", {}),
        )


def _line_of(cls: type) -> int:
    try:
        return inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):  # it was made by a call
        return 1


def unlinked_text(field: str, schema: str, dims: list[str]) -> str:
    """What is to be said of a field with such a schema."""
    plural = "dims" if len(dims) > 1 else "dim"
    links = " ".join(f"{dim}=..." for dim in dims)
    verb = "link" if len(dims) > 1 else "links"
    return (
        f"{field}: the {plural} {', '.join(dims)} of {schema} {verb} to nothing: write "
        f'Bind[{schema}, "{links}"], with names of the class around it'
    )


def _unlinked(schema: Schema) -> Iterator[tuple[str, str, list[str]]]:
    """Yields field, schema and dims; nothing where there is nothing that they could link to."""
    named = [(field.name, field.spec) for field in schema.fields]
    named += ((pattern.keys, pattern.entry) for pattern in schema.extra.patterns)
    found = [(name, *pair) for name, spec in named for pair in _alone(spec)]
    others = any(True for _, spec in named for _ in own_names(spec))
    if others or len(found) > 1:
        yield from found


def _alone(spec: Spec) -> Iterator[tuple[str, list[str]]]:
    match spec:
        case Bound() | ScopedSpec():  # linked, or kept apart
            return
        case Node(ref):
            cls: Any = getattr(root_of(ref), "cls", None)
            if cls is not None and cls.__module__.startswith(_CATALOGUE) and not ref.arguments:
                dims = schema_names(root_of(ref).resolve())
                if dims:
                    yield cls.__name__, dims
        case Map(entry=entry):
            yield from _alone(entry)
        case EntriesSpec(items):
            for item in items:
                yield from () if item is None else _alone(item)
        case Union(options):
            for option in options:
                yield from _alone(option)
        case OneChildSpec():
            yield from _alone(cast(Any, spec).inner)
        case _:
            return
