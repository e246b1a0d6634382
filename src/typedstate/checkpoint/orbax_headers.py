"""Reads shape, dtype and sharding of every array of an Orbax checkpoint from its JSON files.

Orbax opens two TensorStores for each array to tell these. They also stand in three sorts of JSON:
of the tree, of the arrays and of the shardings. If the JSON has an unexpected form, `read_headers`
returns None and Orbax reads the checkpoint; if a file can't be read, the error names it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Hashable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final

import numpy as np

from .errors import CheckpointError
from .libraries import is_dict, is_json_object, is_list
from .progress import Progress, counted
from .stored import Path, StoredLeaf

_SHARDINGS: Final = "_sharding"
_MANIFEST: Final = "manifest.ocdbt"
_MAX_HEADER: Final = 1 << 20
_ARRAYS: Final = ("jax.Array", "np.ndarray")
_SHOWN: Final = 400
_SEQUENCE, _DICT = 1, 2

#: Shape and dtype.
_Header = tuple[tuple[int, ...], np.dtype[Any]]


def read_headers(
    folder: Any, tree: Mapping[str, Any], progress: Progress | None = None
) -> tuple[StoredLeaf, ...] | None:
    """The leaves of a tree; None if the JSON has an unexpected form.

    Args:
      folder: the local folder of the tree.
      tree: the JSON in its ``_METADATA``.
      progress: is told of each array.

    Raises:
      CheckpointError: a file that holds headers is truncated or unreadable.
    """
    try:
        return _leaves(folder, tree, progress)
    except CheckpointError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
        return None


def _leaves(
    folder: Any, tree: Mapping[str, Any], progress: Progress | None
) -> tuple[StoredLeaf, ...] | None:
    local, entries = str(folder), tree["tree_metadata"]
    if not local.startswith("/") or not is_json_object(entries) or not entries:
        return None
    paths: list[Path] = []
    for entry in entries.values():
        value = entry["value_metadata"]
        if value["value_type"] not in _ARRAYS or value["skip_deserialize"]:
            return None
        paths.append(tuple(_key(key) for key in entry["key_metadata"]))
    names = [".".join(map(str, path)) for path in paths]
    if len(set(names)) < len(names):
        return None
    reading = _headers(folder, names, zarr3=bool(tree.get("use_zarr3")))
    headers = counted(reading, len(names), progress)
    shardings = _shardings(folder)
    return tuple(
        StoredLeaf(path, *header, sharding=shardings.get(name, ""))
        for path, name, header in zip(paths, names, headers, strict=True)
    )


def _key(entry: Mapping[str, Any]) -> Hashable:
    key, sort = entry["key"], entry["key_type"]
    if sort == _SEQUENCE:
        return int(key)
    if sort != _DICT or not isinstance(key, str):
        raise ValueError(sort)
    return key


def _headers(folder: Any, names: list[str], *, zarr3: bool) -> Iterator[_Header]:
    """Yields shape and dtype of each array."""
    tensorstore: Any = import_module("tensorstore")
    base: dict[str, Any] = {"driver": "file", "path": f"{folder}/"}
    if (folder / _MANIFEST).exists():
        base = {"driver": "ocdbt", "base": base}
    store = tensorstore.KvStore.open(base).result()
    file = "zarr.json" if zarr3 else ".zarray"
    futures = [store.read(f"{name}/{file}") for name in names]
    dtype = "data_type" if zarr3 else "dtype"
    read: dict[bytes, _Header] = {}  # layers are alike, and so are most headers
    for name, future in zip(names, futures, strict=True):
        text = _text(folder, name, future)
        header = read.get(text)
        if header is None:
            header = read[text] = _header(text, dtype)
        yield header


def _text(folder: Any, name: str, future: Any) -> bytes:
    try:
        found = future.result()
    except ValueError as error:  # what TensorStore raises of files
        text = str(error).partition(" [tensorstore_spec")[0][:_SHOWN]
        raise CheckpointError(folder, f"the header of {name} can't be read: {text}") from None
    if found.state != "value" or len(found.value) > _MAX_HEADER:
        raise ValueError(found.state)
    return bytes(found.value)


def _header(text: bytes, dtype: str) -> _Header:
    header: Any = json.loads(text)
    shape: list[Any] = header["shape"]
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(shape)
    return tuple(shape), np.dtype(header[dtype])


def _shardings(folder: Any) -> dict[str, str]:
    """The shardings at the time of writing, as text by the array's name."""
    file = folder / _SHARDINGS
    if not file.exists():
        return {}
    entries: Any = json.loads(file.read_text())
    shown = {text: _show(json.loads(text)) for text in set(entries.values()) if text}
    return {base64.b64decode(name).decode(): shown[text] for name, text in entries.items() if text}


def _show(sharding: Any) -> str:
    if not is_dict(sharding) or sharding.get("sharding_type") != "NamedSharding":
        return ""
    names, sizes = sharding["axis_names"], sharding["shape"]
    return show_sharding(sharding["partition_spec"], names, sizes)


def show_sharding(spec: Any, names: Any, sizes: Any) -> str:
    """A partition and a mesh as text: ``P('data',) on data=2, model=4``."""
    mesh = ", ".join(f"{name}={size}" for name, size in zip(names, sizes, strict=False))
    shown = ", ".join(repr(tuple(axis) if is_list(axis) else axis) for axis in tuple(spec))
    return f"P({shown}) on {mesh}"
