"""Reads and writes the JSON that `save` puts beside the weights: schema, kinds, PRNG keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jax

from .._compat.variables import is_variable, kind_of, leaves_of, raw_value
from .._validation.key_patterns import int_of
from ..comparison.compare import diff
from ..errors import SchemaError
from ..export.document import SchemaDocument, document_and_names
from ..report import show_path
from .errors import AnyPath, CheckpointError
from .libraries import is_dict, is_json_object, is_key_dtype, is_list
from .stored import Path, StoredLeaf, held

#: The key of Orbax's custom metadata under which the document stands.
DOCUMENT_KEY: Final = "typedstate"
_VERSION: Final = 1
_MAX_NAME: Final = 400
_SHOWN: Final = 6


def write(hint: Any, name: str, state: Any) -> dict[str, Any]:
    """The JSON data that `save` puts beside the weights.

    It has the schema's document, and what no format keeps of a state: the kinds of its Variables
    and the implementations of its PRNG keys, both by path as text.
    """
    kinds: dict[str, str] = {}
    keys: dict[str, str] = {}
    for path, leaf in leaves_of(state):
        value = raw_value(leaf) if is_variable(leaf) else leaf
        if is_variable(leaf):
            kinds[show_path(path)] = kind_of(leaf).__name__
        if hasattr(value, "dtype") and is_key_dtype(value.dtype):
            keys[show_path(path)] = str(jax.random.key_impl(value))
    schema, _ = _schema(hint)
    return {
        "version": _VERSION,
        "hint": name[:_MAX_NAME],
        "schema": schema,
        "kinds": kinds,
        "keys": keys,
    }


def _schema(hint: Any) -> tuple[Any, Mapping[str, Any]]:
    """The document of a hint as JSON data (None if it has none), and the objects that it names."""
    try:
        document, names = document_and_names(hint)
    except SchemaError:
        return None, {}
    return document.model_dump(mode="json", by_alias=True, exclude_defaults=True), names


def kinds(document: Mapping[str, Any]) -> Mapping[str, str]:
    """The names of the Variables' classes, by path as text."""
    found: Mapping[str, str] = document.get("kinds", {})
    return found


def with_kinds(
    leaves: tuple[StoredLeaf, ...], document: Mapping[str, Any] | None
) -> tuple[StoredLeaf, ...]:
    """Leaves with the kinds that `save` wrote; without a document unchanged."""
    known: Mapping[str, str] = {} if document is None else kinds(document)
    if not known:
        return leaves
    of: dict[Path, str] = {}
    for path, leaf in leaves_of(held(leaves)):
        ints = (key if (number := int_of(key)) is None else number for key in path)
        of[leaf.path] = known.get(show_path(path)) or known.get(show_path(tuple(ints)), "")
    return tuple(_with_kind(leaf, of.get(leaf.path, "")) for leaf in leaves)


def _with_kind(leaf: StoredLeaf, kind: str) -> StoredLeaf:
    """As ``dataclasses.replace``, which takes six times as long."""
    path, shape, dtype, what = leaf.path, leaf.shape, leaf.dtype, leaf.what
    return StoredLeaf(path, shape, dtype, what, leaf.sharding, leaf.where, leaf.key_impl, kind)


def implementations(document: Mapping[str, Any]) -> Mapping[str, str]:
    """The PRNG implementations, e.g. ``"threefry2x32"``, by path as text."""
    found: Mapping[str, str] = document.get("keys", {})
    return found


def is_kind(name: str, wanted: type) -> bool:
    """Whether a name is that of a class or of one of its subclasses."""
    if name == wanted.__name__:
        return True
    below: list[type] = type.__subclasses__(wanted)
    return any(is_kind(name, one) for one in below)


def document_of(metadata: Mapping[str, Any], path: AnyPath) -> Mapping[str, Any] | None:
    """The JSON that `save` wrote, None if there is none. It is validated, and never evaluated.

    Raises:
      CheckpointError: the JSON was not written by `save`, or by a newer version.
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
    name = document.get("hint")
    if not isinstance(name, str) or len(name) > _MAX_NAME:
        raise CheckpointError(path, "the schema's document has no name of a hint")
    if document.get("schema") is not None:
        try:
            SchemaDocument.from_json(json.dumps(document["schema"]))
        except SchemaError as error:
            raise CheckpointError(path, str(error)) from None
    for part in ("kinds", "keys"):
        given: Any = document.get(part, {})
        texts: list[Any] = list(given.values()) if is_dict(given) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise CheckpointError(path, f"the schema's document has {part} of another form")
    return {str(key): value for key, value in document.items()}


class _Stranger:
    """Stands for a validator that is known by name only: `diff` compares it, nothing calls it."""

    def is_valid(self, value: Any) -> bool:
        """Raises: no value is ever validated by a name."""
        raise NotImplementedError


def _validators(data: Any) -> Iterator[str]:
    """The names of the validators in a document."""
    if is_dict(data):
        yield from data.get("validators", ())
        for item in data.values():
            yield from _validators(item)
    elif is_list(data):
        for item in data:
            yield from _validators(item)


def difference(document: Mapping[str, Any], hint: Any, name: str) -> str:
    """The difference from the schema that a checkpoint was written for, as text; empty if none."""
    written, (own, names) = document.get("schema"), _schema(hint)
    if written == own and (own is not None or document["hint"] == name):
        return ""
    if written is None or own is None:
        return f"{document['hint']}, of which there is no document"
    try:
        known = {name: _Stranger() for name in _validators(written)} | dict(names)
        before = SchemaDocument.model_validate(written).to_schema(kinds=known)
    except SchemaError as error:
        return f"{document['hint']}, which can't be compared: {error}"
    found = diff(before, hint)
    shown = "; ".join(map(str, found.changes[:_SHOWN]))
    more = len(found.changes) - _SHOWN
    shown += f"; and {more} more" if more > 0 else ""
    return f"{document['hint']}: {shown}" if shown else ""
