"""The tree structure that `Same` compares: the leaves, and everything else in JAX's treedef.

``jax.tree.map``, ``jit`` and ``scan`` require equal ``jax.tree.structure``, which includes the
metadata of Variables and the classes of containers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, cast

import jax
import msgspec

from .._compat import modules, variables
from .._spec.words import Likeness
from ..report import Code, Path
from . import tree_signature
from .tree_signature import TreeSignature

_tree: Any = jax.tree


class TreeStructure(msgspec.Struct, frozen=True, eq=False):
    """A tree without its values.

    Attributes:
      treedef: JAX's treedef; None if JAX can't flatten the tree.
      leaves: the kinds, dtypes and shapes of the leaves.
      keys: the paths of the Variables and of the raw leaves.
      metadata: the metadata of each Variable.
      containers: the class of each container, by its name.
    """

    treedef: Any
    leaves: TreeSignature
    keys: tuple[Path, ...]
    metadata: Mapping[Path, Mapping[str, Any]]
    containers: Mapping[Path, str]


def structure_of(value: Any) -> TreeStructure:
    """Reads a state, nested containers or a live module."""
    metadata: dict[Path, Mapping[str, Any]] = {}
    containers: dict[Path, str] = {}
    tree = modules.module_tree(value).mapping if modules.is_module(value) else value
    for path, item in _parts(tree, ()):
        if variables.is_variable(item):
            metadata[path] = dict(variables.metadata_of(item))
        else:
            containers[path] = _container(item, path)
    keys = tuple(tree_signature.keys_of(tree, ()))
    leaves = tree_signature.signature_of(value)
    return TreeStructure(treedef_of(value), leaves, keys, metadata, containers)


def treedef_of(value: Any) -> Any:
    """The treedef of a value by ``jax.tree.structure``; None if that raises."""
    try:
        return _tree.structure(value)
    except Exception:  # keys that can't be sorted, or a user's own node
        return None


def same_treedef(one: Any, other: Any) -> bool:
    """Whether two treedefs are equal; False if they can't be compared."""
    try:
        return bool(one == other)
    except Exception:  # metadata may be anything
        return False


class TreedefLike(msgspec.Struct, frozen=True, eq=False):
    """Whether another tree has the same treedef.

    Attributes:
      treedef: the treedef.
      in_place: whether it is that of a live module's state.
    """

    treedef: Any
    in_place: bool

    def __call__(self, value: Any) -> bool:
        """Asks again."""
        tree = state_of(value) if self.in_place else value
        return same_treedef(self.treedef, treedef_of(tree))


def state_of(value: Any) -> Any:
    """A live module, or the tree that was read of it, as the state that Flax makes of it."""
    tree = modules.module_tree(value).mapping if modules.is_module(value) else value
    return variables.State(_in_state(tree))


def _in_state(tree: Any) -> Any:
    """Live Variables as the leaves that a state has of them."""
    if variables.is_variable(tree):
        return variables.in_state(tree)
    mapping = variables.mapping_of(tree)
    return tree if mapping is None else {key: _in_state(item) for key, item in mapping.items()}


def _parts(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yields every Variable and every container."""
    if variables.is_variable(value):
        yield path, value
        value = variables.raw_value(value)
        if tree_signature.items_of(value) is not None:
            yield from ((keys, item) for keys, item in _parts(value, path) if keys != path)
        return
    items = tree_signature.items_of(value)
    if items is None:
        return
    yield path, value
    for key, item in items:
        yield from _parts(item, (*path, key))


def _container(value: Any, path: Path) -> str:
    if variables.mapping_of(value) is None:
        return type(value).__name__
    is_state = variables.is_state(value)
    if path and type(value) is not dict and not is_state:
        return type(cast(object, value)).__name__
    return "State" if not path and is_state else "dict"


def differences(
    first: TreeStructure, other: TreeStructure, by: Likeness = "structure"
) -> Iterator[tuple[Path, Code, str, str]]:
    """Yields where `other` differs from `first`: path, code, expected, actual."""
    told: set[Path] = set()
    if by == "keys":
        yield from _keys(first, other)
        return
    if by == "shapes":
        yield from tree_signature.other_shapes(first.leaves, other.leaves)
        return
    for found in tree_signature.differences(first.leaves, other.leaves):
        told.add(found[0])
        yield found
    if same_treedef(first.treedef, other.treedef):
        return
    several = [*_metadata(first, other, told), *_containers(first, other)]
    yield from several
    if not told and not several:
        yield (), "container", "the structure that jax.tree.structure gives", "another structure"


def _keys(first: TreeStructure, other: TreeStructure) -> Iterator[tuple[Path, Code, str, str]]:
    ours, theirs = dict.fromkeys(first.keys), dict.fromkeys(other.keys)
    for path in ours:
        if path not in theirs:
            yield path, "missing", "a leaf", "nothing"
    for path in theirs:
        if path not in ours:
            yield path, "extra", "no such leaf", "a leaf"


def _metadata(
    first: TreeStructure, other: TreeStructure, told: set[Path]
) -> Iterator[tuple[Path, Code, str, str]]:
    for path, wanted in first.metadata.items():
        found = other.metadata.get(path)
        if found is None or path in told:
            continue
        names = [
            name
            for name in dict.fromkeys((*wanted, *found))
            if not _equal(wanted.get(name, _ABSENT), found.get(name, _ABSENT))
        ]
        if names:
            yield path, "metadata", _shown(wanted, names), _shown(found, names)


_ABSENT: Any = object()


def _equal(one: Any, other: Any) -> bool:
    try:
        return one is other or (one is not _ABSENT and other is not _ABSENT and bool(one == other))
    except Exception:  # an array, say
        return False


def _shown(metadata: Mapping[str, Any], names: list[str]) -> str:
    parts = [f"{n}={_text(metadata[n])}" if n in metadata else f"no {n}" for n in names]
    return f"metadata {', '.join(parts)}"


def _text(value: Any) -> str:
    if variables.is_shaped(value):
        return "an array"
    try:
        text = repr(value)
    except Exception:  # of any class
        return type(value).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."


def _containers(
    first: TreeStructure, other: TreeStructure
) -> Iterator[tuple[Path, Code, str, str]]:
    paths = cast(dict[Hashable, None], dict.fromkeys((*first.containers, *other.containers)))
    for path in cast(Iterator[Path], iter(paths)):
        wanted, found = first.containers.get(path), other.containers.get(path)
        if wanted == found:
            continue
        if wanted is None and path not in first.metadata:
            yield path, "extra", "no such container", f"a {found}"
        elif found is None and path not in other.metadata:
            yield path, "missing", f"a {wanted}", "nothing"
        elif wanted is not None and found is not None:
            yield path, "container", f"a {wanted}", f"a {found}"
