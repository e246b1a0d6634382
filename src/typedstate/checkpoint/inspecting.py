"""`inspect`: what a checkpoint holds, whichever library wrote it."""

from __future__ import annotations

import glob
import os
from dataclasses import replace
from os import fspath
from typing import Any, Final

from . import orbax_reader
from .document import DOCUMENT_KEY, document_of, with_kinds
from .errors import AnyPath, CheckpointError
from .libraries import place_of
from .progress import Progress, counted
from .stored import ASIDE, Checkpoint

#: More levels than any state has, and few enough to walk.
_MAX_DEPTH: Final = 200
_MSGPACK_MAPS: Final = (*range(0x80, 0x90), 0xDE, 0xDF)


def inspect(
    path: AnyPath,
    *,
    step: int | None = None,
    item: str | None = None,
    progress: Progress | None = None,
) -> Checkpoint:
    """Reads what a checkpoint holds from its metadata; reads no weight.

    Args:
      path: a folder that Orbax wrote (a checkpoint of its v0 or v1 interface, or the root of a
        CheckpointManager or v1 ``training.Checkpointer``), a ``.safetensors`` file or a folder
        of such, or a file of ``flax.serialization``. ``file://`` works as
        the path does, another URL where Orbax knows it.
      step: the step to read in a CheckpointManager's folder; without, the newest.
      item: the name of one item, where a checkpoint has several.
      progress: called with the number of parts that were read, and of all parts: the files of
        safetensors, the headers of Orbax's arrays. A file of ``flax.serialization`` is one part,
        and so is a checkpoint of Orbax that holds other things than arrays.

    Raises:
      CheckpointError: it is no checkpoint, or an unfinished, truncated or hostile one.
    """
    found = _inspect(path, step, item, progress)
    if any(len(leaf.path) > _MAX_DEPTH for leaf in found.leaves):
        raise CheckpointError(path, f"nested more than {_MAX_DEPTH} deep")
    return found


def _inspect(
    path: AnyPath, step: int | None, item: str | None, progress: Progress | None
) -> Checkpoint:
    place = _place(path)
    if place.is_dir():
        from . import safetensors_reader

        files = safetensors_reader.files_of(place)
        if files is not None:
            _refuse(path, step, item)
            return replace(safetensors_reader.inspect(place, files, progress), path=fspath(path))
        return _orbax(path, place, step, item, progress)
    _refuse(path, step, item)
    return replace(_file(path, place, progress), path=fspath(path))


def inspect_foreign(path: AnyPath) -> Checkpoint:
    """The same for a foreign checkpoint, whose tensors have names of their own: safetensors only.

    Raises:
      CheckpointError: the checkpoint can't be read, or is no safetensors.
    """
    found = inspect(path)
    if found.format != "safetensors":
        reason = f"foreign weights are read from safetensors, not {found.format}"
        raise CheckpointError(path, reason)
    return found


def is_checkpoint(path: AnyPath) -> bool:
    """Whether a path looks like a checkpoint, by names and first bytes alone."""
    try:
        place = _place(path)
        if place.is_dir():
            from . import safetensors_reader

            return safetensors_reader.files_of(place) is not None or orbax_reader.is_orbax(place)
        return _sort(place) is not None
    except (CheckpointError, OSError):
        return False


def _place(path: AnyPath) -> Any:
    """The path as an object that knows local files and URLs.

    Raises:
      CheckpointError: nothing is there.
    """
    try:
        place = place_of(fspath(path))
        if "://" not in str(place):
            place = place.expanduser().absolute()
        if not place.exists():
            raise CheckpointError(path, _why_nothing(place))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(path, f"can't be read: {error}") from None
    return place


def _why_nothing(place: Any) -> str:
    if os.path.islink(str(place)):
        return "a symlink to nothing"
    aside = sorted(glob.glob(glob.escape(str(place)) + ASIDE + "*"))
    if aside:
        return f"an interrupted save left the older one whole, at {aside[-1]}"
    return "there is nothing"


def _refuse(path: AnyPath, step: int | None, item: str | None) -> None:
    if step is not None or item is not None:
        raise CheckpointError(path, "only Orbax's folders have a step or an item")


def _orbax(
    path: AnyPath, place: Any, step: int | None, item: str | None, progress: Progress | None
) -> Checkpoint:
    found = orbax_reader.find(place, step, item)
    tree = orbax_reader.tree_metadata(found)
    metadata = orbax_reader.about(found, tree)
    document = document_of(metadata, found.folder)
    others = {key: value for key, value in metadata.items() if key != DOCUMENT_KEY}
    leaves = with_kinds(orbax_reader.read_leaves(found, tree, progress), document)
    return Checkpoint(
        fspath(path),
        str(found.folder),
        "orbax",
        leaves,
        found.step,
        found.item,
        others,
        document,
    )


def _file(path: AnyPath, place: Any, progress: Progress | None) -> Checkpoint:
    sort = _sort(place)
    if sort == "safetensors":
        from . import safetensors_reader

        return safetensors_reader.inspect(place, [place], progress)
    if sort == "msgpack":
        from . import msgpack_reader

        (found,) = counted(map(msgpack_reader.inspect, [place]), 1, progress)
        return found
    size = place.stat().length
    raise CheckpointError(
        path, "an empty file" if size == 0 else "no checkpoint of a format that is known here"
    )


def _sort(place: Any) -> str | None:
    """The format of a file by its first bytes."""
    try:
        with place.open("rb") as file:
            head: bytes = file.read(9)
    except OSError as error:
        raise CheckpointError(str(place), f"can't be read: {error.strerror or error}") from None
    if place.name.endswith(".safetensors") or (len(head) == 9 and head[8:9] == b"{"):
        return "safetensors"
    return "msgpack" if head and head[0] in _MSGPACK_MAPS else None
