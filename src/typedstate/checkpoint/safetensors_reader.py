"""Reads safetensors: one file, or several that an index names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import numpy as np

from .errors import CheckpointError
from .libraries import is_json_object, place_of
from .progress import Progress, counted
from .safetensors_header import Entry, read_header
from .stored import Checkpoint, Path, StoredLeaf

_SUFFIX: Final = ".safetensors"
_INDEX: Final = ".safetensors.index.json"
_MAX_INDEX: Final = 64 << 20
_SEPARATOR: Final = "."


def files_of(folder: Any) -> list[Any] | None:
    """The index of a folder, or its only safetensors file; None if it has neither.

    Raises:
      CheckpointError: the folder has several safetensors files and no index.
    """
    try:
        names = sorted(child.name for child in folder.iterdir())
    except OSError as error:
        raise CheckpointError(str(folder), f"can't be listed: {error.strerror}") from None
    indexes = [name for name in names if name.endswith(_INDEX)]
    files = [name for name in names if name.endswith(_SUFFIX)]
    if len(indexes) > 1:
        raise CheckpointError(str(folder), f"it has several indexes: {', '.join(indexes)}")
    if indexes:
        return [folder / indexes[0]]
    if len(files) > 1:
        raise CheckpointError(
            str(folder), f"{len(files)} safetensors files and no index: name the file that is meant"
        )
    return [folder / files[0]] if files else None


def inspect(place: Any, files: list[Any], progress: Progress | None) -> Checkpoint:
    """The checkpoint in a safetensors file, or in the files of an index."""
    index = files[0] if files[0].name.endswith(_INDEX) else None
    named: dict[str, str] | None = None
    if index is not None:
        named = _weight_map(index)
        files = [index.parent / name for name in dict.fromkeys(named.values())]
    found: dict[str, StoredLeaf] = {}
    metadata: dict[str, str] = {}
    for file in counted(files, len(files), progress):
        entries, about = _header(file)
        metadata |= about
        for name, (dtype, shape, _) in entries.items():
            if named is not None and named.get(name) != file.name:
                says = f"which the index places in {named[name]}" if name in named else "unnamed"
                reason = f"holds tensor {name[:80]!r}, {says} in {index.name if index else ''}"
                raise CheckpointError(str(file), reason)
            where = file.name if named is not None else ""
            found[name] = StoredLeaf((name,), shape, dtype, where=where)
    for name, file_name in (named or {}).items():
        if name not in found:
            raise CheckpointError(str(index), f"{file_name} does not hold tensor {name[:80]!r}")
    leaves = tuple(_split(found))
    return Checkpoint(str(place), str(place), "safetensors", leaves, metadata=metadata)


def _header(file: Any) -> tuple[dict[str, Entry], dict[str, str]]:
    try:
        if not file.exists():
            raise CheckpointError(str(file), "there is nothing, though the index names it")
        with file.open("rb") as opened:
            return read_header(opened, file.stat().length, str(file))
    except OSError as error:
        raise CheckpointError(str(file), f"can't be read: {error.strerror or error}") from None


def _weight_map(index: Any) -> dict[str, str]:
    """The file of each tensor by name; a file that is not beside the index is refused."""
    try:
        if index.stat().length > _MAX_INDEX:
            raise CheckpointError(str(index), f"larger than {_MAX_INDEX} bytes, so it is not read")
        found: Any = json.loads(index.read_text())
    except (OSError, RecursionError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(str(index), f"can't be read: {error}") from None
    named: Any = found.get("weight_map") if is_json_object(found) else None
    if not is_json_object(named) or not named:
        raise CheckpointError(str(index), "it has no weight_map")
    for name, file in named.items():
        if not isinstance(file, str) or not file.endswith(_SUFFIX):
            raise CheckpointError(str(index), f"tensor {name[:80]!r} is in no safetensors file")
        if "/" in file or "\\" in file or "\0" in file or file.startswith("."):
            raise CheckpointError(
                str(index), f"tensor {name[:80]!r} is in {file[:80]!r}, outside of the folder"
            )
    return dict(named)


def _split(found: dict[str, StoredLeaf]) -> Iterator[StoredLeaf]:
    """Splits dotted names to paths, but no name of which a prefix is itself a tensor's name."""
    for name, leaf in found.items():
        parts = tuple(name.split(_SEPARATOR))
        begins = (_SEPARATOR.join(parts[:size]) for size in range(1, len(parts)))
        whole = "" in parts or any(begin in found for begin in begins)
        path: Path = (name,) if whole else parts
        yield StoredLeaf(path, leaf.shape, leaf.dtype, where=leaf.where)


def name_of(leaf: StoredLeaf) -> str:
    """The name of a tensor in its file."""
    return _SEPARATOR.join(str(key) for key in leaf.path)


def tensors(
    checkpoint: Checkpoint, wanted: Iterable[StoredLeaf]
) -> Iterator[tuple[StoredLeaf, Any]]:
    """Yields the leaf and the numpy array of each wanted tensor, one at a time, file by file.

    Files are not mapped into memory: only the bytes of one tensor are in memory at a time.
    """
    by_file: dict[str, list[StoredLeaf]] = {}
    for leaf in wanted:
        by_file.setdefault(leaf.where, []).append(leaf)
    base = place_of(checkpoint.location)
    if base.is_dir() and "" in by_file:
        base = next(iter(base.glob("*" + _SUFFIX)))
    for where, leaves in by_file.items():
        folder = base if base.is_dir() else base.parent
        file = folder / where if where else base
        entries, _ = _header(file)
        try:
            with file.open("rb") as opened:
                for leaf in leaves:
                    yield leaf, _read(opened, entries.get(name_of(leaf)), leaf, str(file))
        except OSError as error:
            reason = f"can't be read: {error.strerror or error}"
            raise CheckpointError(str(file), reason) from None


def _read(file: BinaryIO, entry: Entry | None, leaf: StoredLeaf, path: str) -> Any:
    if entry is None or entry[:2] != (leaf.dtype, leaf.shape):
        raise CheckpointError(path, f"tensor {name_of(leaf)[:80]!r} is not what it was: it changed")
    file.seek(entry[2])
    data = file.read(leaf.nbytes)
    if len(data) != leaf.nbytes:
        raise CheckpointError(path, f"truncated: tensor {name_of(leaf)[:80]!r} is not whole")
    if not data:
        return np.zeros(leaf.shape, leaf.dtype)
    return np.frombuffer(data, leaf.dtype).reshape(leaf.shape)
