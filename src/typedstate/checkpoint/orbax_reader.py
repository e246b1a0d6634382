"""Reads Orbax checkpoints: finds the folder of a tree, its metadata, and its arrays.

The one file that imports Orbax's readers. Checkpoints of Orbax's v1 interface differ in the names
of folders only, and are read by the same functions.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final, cast

import jax
import numpy as np

from .errors import CheckpointError
from .libraries import is_dict, is_json_object, is_list, is_list_or_tuple, orbax
from .orbax_headers import read_headers, show_sharding
from .progress import Progress, counted
from .stored import Path, StoredLeaf, What

_METADATA: Final = "_METADATA"
_ABOUT: Final = "_CHECKPOINT_METADATA"
_ARRAYS: Final = "array_metadatas"
_UNFINISHED: Final = ".orbax-checkpoint-tmp"
_STEP: Final = re.compile(r"(?:.*_)?(\d+)")
_MAX_METADATA: Final = 1 << 30  # bytes of JSON: some ten million leaves
_MAX_ABOUT: Final = 1 << 26


@dataclass(frozen=True, slots=True)
class Found:
    """One tree of arrays on disk.

    Attributes:
      folder: the folder of the tree; has ``_METADATA``.
      about: the folder of the whole checkpoint; has the custom metadata.
      step: the step in a CheckpointManager's folder, else None.
      item: the name of the tree, if the checkpoint has several, else None.
    """

    folder: Any
    about: Any
    step: int | None = None
    item: str | None = None


def is_orbax(folder: Any) -> bool:
    """Whether a folder looks like one that Orbax wrote, finished or not."""
    if _UNFINISHED in folder.name or (folder / _ABOUT).exists() or (folder / _METADATA).exists():
        return True
    return any(_is_tree(child) or child.name.isdecimal() for child in _folders(folder))


def find(path: Any, step: int | None, item: str | None) -> Found:
    """Finds a tree of arrays in the folder of a checkpoint or of a CheckpointManager.

    Raises:
      CheckpointError: there is no such tree, there are several, or its save was not finished.
    """
    _refuse_unfinished(path)
    if (path / _METADATA).exists():
        return Found(path, path)
    steps = _steps(path)
    if steps and not (path / _ABOUT).exists():
        if step is None:
            step = max(steps)
        if step not in steps:
            has = ", ".join(str(number) for number in sorted(steps)[-10:])
            raise CheckpointError(path, f"there is no step {step}: there are {has}")
        found = find(steps[step], None, item)
        return Found(found.folder, found.about, step, found.item)
    if step is not None:
        raise CheckpointError(path, f"there are no steps, so no step {step}")
    trees = {child.name: child for child in _folders(path) if _is_tree(child)}
    if not trees:
        raise CheckpointError(path, _why_empty(path))
    if item is None and len(trees) > 1:
        raise CheckpointError(path, f"it has several items, give item=: {', '.join(sorted(trees))}")
    chosen = next(iter(trees)) if item is None else item
    if chosen not in trees:
        raise CheckpointError(
            path, f"there is no item {chosen!r}: there are {', '.join(sorted(trees))}"
        )
    _refuse_unfinished(trees[chosen])
    return Found(trees[chosen], path, item=chosen)


def _is_tree(folder: Any) -> bool:
    return bool((folder / _METADATA).exists())


def _folders(folder: Any) -> list[Any]:
    try:
        return sorted((child for child in folder.iterdir() if child.is_dir()), key=str)
    except OSError as error:
        raise CheckpointError(folder, f"can't be listed: {error.strerror or error}") from None


def _steps(folder: Any) -> dict[int, Any]:
    """The folders of the finished steps, by number, in a CheckpointManager's folder."""
    found: dict[int, Any] = {}
    for child in _folders(folder):
        match = _STEP.fullmatch(child.name)
        if match is not None and _UNFINISHED not in child.name and _holds_checkpoint(child):
            found[int(match[1])] = child
    return found


def _holds_checkpoint(folder: Any) -> bool:
    return (folder / _ABOUT).exists() or any(_is_tree(child) for child in _folders(folder))


def _why_empty(path: Any) -> str:
    names = [child.name for child in _folders(path)]
    unfinished = [name for name in names if _UNFINISHED in name]
    if unfinished:
        return f"nothing in it is finished: {unfinished[0]} has no commit marker"
    return "no checkpoint: there is no _METADATA in it or in a folder below it"


def _refuse_unfinished(folder: Any) -> None:
    """Raises for an unfinished save: at its end Orbax renames the folder, or dates it."""
    if _UNFINISHED in folder.name:
        raise CheckpointError(folder, "half-written: Orbax did not commit it")
    about = _json(folder / _ABOUT, _MAX_ABOUT)
    if about and about.get("init_timestamp_nsecs") and not about.get("commit_timestamp_nsecs"):
        raise CheckpointError(folder / _ABOUT, "half-written: it has no time of commit")


def tree_metadata(found: Found) -> dict[str, Any]:
    """The metadata of a tree, as JSON data."""
    return _json(found.folder / _METADATA, _MAX_METADATA) or {}


def about(found: Found, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The custom metadata of a checkpoint, and of its tree."""
    whole = _json(found.about / _ABOUT, _MAX_ABOUT) or {}
    custom: Any = whole.get("custom_metadata")
    own: Any = tree.get("custom_metadata")
    parts = [part for part in (own, custom) if is_dict(part)]
    return {str(key): value for part in parts for key, value in part.items()}


def _json(path: Any, limit: int) -> dict[str, Any] | None:
    """The object in a JSON file of at most `limit` bytes; None if there is no file."""
    try:
        if not path.exists():
            return None
        if path.stat().length > limit:
            raise CheckpointError(path, f"larger than {limit} bytes, so it is not read")
        found: Any = json.loads(path.read_text())
    except (OSError, RecursionError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(path, f"can't be read: {error}") from None
    if not is_json_object(found):
        raise CheckpointError(path, "not a JSON object")
    return {str(key): value for key, value in found.items()}


def read_leaves(
    found: Found, tree: Mapping[str, Any], progress: Progress | None = None
) -> tuple[StoredLeaf, ...]:
    """The leaves of a tree, from its metadata."""
    leaves = read_headers(found.folder, tree, progress)
    if not leaves:
        (leaves,) = counted(map(_read_by_orbax, [found]), 1, progress)
    if not any(leaf.dtype == np.uint32 for leaf in leaves if leaf.dtype is not None):
        return leaves
    keys = _key_implementations(found.folder)
    return tuple(_with_keys(leaf, keys) for leaf in leaves) if keys else leaves


def _read_by_orbax(found: Found) -> tuple[StoredLeaf, ...]:
    with _named_errors(found.folder), quiet(), orbax().PyTreeCheckpointer() as checkpointer:
        whole: Any = checkpointer.metadata(found.folder)
    metadata: Any = getattr(whole, "item_metadata", whole)
    tree: Any = getattr(metadata, "tree", metadata)
    if tree is None:
        raise CheckpointError(found.folder, "its metadata can't be read")
    return tuple(_leaves(tree, ()))


def _with_keys(leaf: StoredLeaf, keys: Mapping[str, str]) -> StoredLeaf:
    implementation = keys.get(".".join(str(key) for key in leaf.path))
    return leaf if implementation is None else replace(leaf, key_impl=implementation)


def _key_implementations(folder: Any) -> dict[str, str]:
    """The PRNG implementations by the array's name, which newer releases of Orbax write."""
    found: dict[str, str] = {}
    if not (folder / _ARRAYS).exists():
        return found
    for file in sorted((folder / _ARRAYS).iterdir(), key=str):
        arrays: Any = (_json(file, _MAX_METADATA) or {}).get("array_metadatas", [])
        for entry in arrays if is_list(arrays) else ():
            one: Any = entry.get("array_metadata") if is_dict(entry) else None
            more: Any = one.get("ext_metadata") if is_dict(one) else None
            if is_dict(more) and isinstance(more.get("random_key_impl"), str):
                found[str(one.get("param_name"))] = more["random_key_impl"]
    return found


def _leaves(tree: Any, path: Path) -> Iterator[StoredLeaf]:
    if isinstance(tree, Mapping):
        if not tree and path:
            yield StoredLeaf(path, what="empty")
        for key, item in cast(Mapping[Hashable, Any], tree).items():
            yield from _leaves(item, (*path, key))
        return
    if is_list_or_tuple(tree):
        if not tree and path:
            yield StoredLeaf(path, what="empty")
        for index, item in enumerate(tree):
            yield from _leaves(item, (*path, index))
        return
    shape, dtype = getattr(tree, "shape", None), getattr(tree, "dtype", None)
    if tree is None or (shape is None and dtype is None):
        yield StoredLeaf(path, what="empty" if tree is None else "string")
        return
    sharding: Any = getattr(tree, "sharding", None)
    what: What = "scalar" if type(tree).__name__ == "ScalarMetadata" else "array"
    yield StoredLeaf(path, tuple(shape or ()), np.dtype(dtype), what, _show_sharding(sharding))


def _show_sharding(sharding: Any) -> str:
    """A sharding as text: ``P('data',) on data=2, model=4``."""
    if sharding is None:
        return ""
    spec, names = getattr(sharding, "partition_spec", None), getattr(sharding, "axis_names", None)
    if spec is None or names is None:
        return ""
    return show_sharding(spec, names, getattr(sharding, "shape", ()))


def read_arrays(
    folder: Any, wanted: Mapping[Path, tuple[Any, Any]], *, partly: bool
) -> dict[Path, Any]:
    """The arrays of some leaves of a tree, made where they belong.

    Args:
      folder: of the tree.
      wanted: by stored path the ``jax.ShapeDtypeStruct`` to make, with its sharding, and
        whether the value is an array.
      partly: whether there are leaves that are not wanted; to look for them takes time.
    """
    if not wanted:
        return {}
    with _named_errors(folder), quiet():
        ocp = orbax()
        item = _tree_of({path: shaped for path, (shaped, _) in wanted.items()})
        args = _tree_of({path: _restore_arg(ocp, *both) for path, both in wanted.items()})
        with ocp.PyTreeCheckpointer() as checkpointer:
            given = ocp.args.PyTreeRestore(item=item, restore_args=args, partial_restore=partly)
            found: Any = checkpointer.restore(folder, args=given)
    return {path: _at(found, path) for path in wanted}


def _restore_arg(ocp: Any, shaped: Any, is_array: bool) -> Any:
    if not is_array:
        return ocp.RestoreArgs()
    return ocp.ArrayRestoreArgs(
        restore_type=jax.Array,
        dtype=shaped.dtype,
        sharding=shaped.sharding,
        global_shape=shaped.shape,
        strict=True,
    )


def _tree_of(items: Mapping[Path, Any]) -> Any:
    """Nested dicts of values by path, with the keys as stored."""
    tree: dict[Hashable, Any] = {}
    for path, value in items.items():
        below = tree
        for key in path[:-1]:
            below = below.setdefault(key, {})
        below[path[-1]] = value
    return tree


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return tree


@contextmanager
def _named_errors(folder: Any) -> Generator[None, None, None]:
    """Turns errors of Orbax and TensorStore into a CheckpointError with the folder's name."""
    try:
        yield
    except CheckpointError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:400]
        raise CheckpointError(
            PurePosixPath(folder), f"Orbax can't read it: {type(error).__name__}: {text}"
        ) from error


@contextmanager
def quiet() -> Generator[None, None, None]:
    """Silences Orbax's advice on arguments that this package chose."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
