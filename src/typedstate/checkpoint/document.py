"""The document of a schema beside the weights: the one place that knows how it is written."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

import jax

from .._compat.variables import is_variable, kind_of, mapping_of, raw_value
from ..errors import SchemaError
from ..export.source import to_source
from ..report import show_path
from .errors import AnyPath, CheckpointError
from .libraries import is_dict, is_json_object, is_key_dtype

#: The key of Orbax's custom metadata under which the document stands.
DOCUMENT_KEY: Final = "typedstate"
_VERSION: Final = 1
_MAX_SOURCE: Final = 1 << 22
_SHOWN: Final = 6


def write(hint: Any, name: str, state: Any) -> dict[str, Any]:
    """What `save` puts beside the weights of a state, as JSON data: the schema, and what no
    format keeps of the state itself."""
    kinds: dict[str, str] = {}
    keys: dict[str, str] = {}
    for path, leaf in _flat(state, ()):
        value = raw_value(leaf) if is_variable(leaf) else leaf
        if is_variable(leaf):
            kinds[show_path(path)] = kind_of(leaf).__name__
        if hasattr(value, "dtype") and is_key_dtype(value.dtype):
            keys[show_path(path)] = str(jax.random.key_impl(value))
    return {"version": _VERSION, **_schema(hint, name), "kinds": kinds, "keys": keys}


def _schema(hint: Any, name: str) -> dict[str, Any]:
    try:
        source = to_source(hint)
    except SchemaError:
        source = ""
    return {"hint": name, "source": source}


def _flat(tree: Any, path: tuple[Hashable, ...]) -> Iterator[tuple[tuple[Hashable, ...], Any]]:
    mapping = mapping_of(tree)
    if mapping is None:
        yield path, tree
        return
    for key, item in mapping.items():
        yield from _flat(item, (*path, key))


def kinds(document: Mapping[str, Any]) -> Mapping[str, str]:
    """The kind of each Variable by its path."""
    found: Mapping[str, str] = document.get("kinds", {})
    return found


def implementations(document: Mapping[str, Any]) -> Mapping[str, str]:
    """How the PRNG keys at each path were implemented."""
    found: Mapping[str, str] = document.get("keys", {})
    return found


def is_kind(name: str, wanted: type) -> bool:
    """Whether a kind that is known by its name is a wanted one or a subclass of it."""
    if name == wanted.__name__:
        return True
    below: list[type] = type.__subclasses__(wanted)
    return any(is_kind(name, one) for one in below)


def document_of(metadata: Mapping[str, Any], path: AnyPath) -> Mapping[str, Any] | None:
    """The document in a checkpoint's metadata, None without one; it is data, never evaluated.

    Raises:
      CheckpointError: it is none of ours, or of a newer version.
    """
    document = metadata.get(DOCUMENT_KEY)
    if document is None:
        return None
    if not is_json_object(document) or type(document.get("version")) is not int:
        raise CheckpointError(path, f"custom metadata {DOCUMENT_KEY!r} is no document of a schema")
    if document["version"] > _VERSION:
        raise CheckpointError(
            path,
            f"the schema's document is of version {document['version']}, newer than {_VERSION}",
        )
    both = document.get("hint"), document.get("source")
    if not all(isinstance(text, str) and len(text) <= _MAX_SOURCE for text in both):
        raise CheckpointError(path, "the schema's document is not of the published form")
    for part in ("kinds", "keys"):
        given: Any = document.get(part, {})
        texts: list[Any] = list(given.values()) if is_dict(given) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise CheckpointError(path, f"the schema's document has {part} of another form")
    return {str(key): value for key, value in document.items()}


def difference(document: Mapping[str, Any], hint: Any, name: str) -> str:
    """How a hint differs from the one that a checkpoint was written for; empty if it doesn't."""
    own = _schema(hint, name)
    if document["source"] == own["source"] and (own["source"] or document["hint"] == name):
        return ""
    before, after = document["source"].splitlines(), own["source"].splitlines()
    lines = [
        line
        for line in difflib.unified_diff(before, after, lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    shown = "; ".join(" ".join(line.split()) for line in lines[:_SHOWN])
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"{document['hint']}: {shown}{more}" if shown else str(document["hint"])
