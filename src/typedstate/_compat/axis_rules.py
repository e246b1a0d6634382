"""Axis names, logical rules and meshes as the installed Flax and JAX keep them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import jax
from flax import nnx
from flax.core import spmd as _flax_spmd
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from . import storage as storage_
from .storage import ANYWHERE, Storage

_spmd: Final[Any] = _flax_spmd
SHARDING_KEYS: Final = ("out_sharding", "sharding_names", "sharding")
_partitioned: Final[Any] = nnx.with_partitioning(lambda: 0, ("axis",))()
#: The key under which ``nnx.with_partitioning`` keeps axis names.
_NAMES_KEY: Final[str] = next(key for key in SHARDING_KEYS if key in _partitioned.metadata)


def declared_names(metadata: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The axis names in a Variable's sharding metadata; None if it has none."""
    for key in SHARDING_KEYS:
        names = metadata.get(key)
        if names is not None:
            return axis_names(names)
    return None


def written_names(metadata: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The same as they are written, with None at the end: how long they are can be told."""
    for key in SHARDING_KEYS:
        names = metadata.get(key)
        if names is not None:
            return _entries(names)
    return None


def written_sums(metadata: Mapping[str, Any]) -> Storage | None:
    """The sums of which a Variable's sharding metadata speaks; None where names alone can't."""
    for key in SHARDING_KEYS:
        names = metadata.get(key)
        if names is not None:
            at = getattr(names, "sharding", names)
            return storage_.sums_of(at) if isinstance(at, NamedSharding | PartitionSpec) else None
    return None


def with_names(names: tuple[Any, ...], storage: Storage = ANYWHERE) -> dict[str, Any]:
    """Sharding metadata with these axis names, as the installed Flax spells it."""
    has_sums = storage.sums != ANYWHERE
    return {_NAMES_KEY: storage_.partition(names, storage) if has_sums else names}


def resolve_names(
    names: tuple[Any, ...], context: Iterable[Any] | None, own: Iterable[Any] | None
) -> tuple[Any, ...]:
    """Logical axis names to those of the mesh, by the rules of ``nnx.get_partition_spec``.

    Args:
      names: of each axis, as in a Variable's metadata.
      context: rules in the place of those of ``logical_axis_rules``; None for those.
      own: the Variable's own ``sharding_rules``.

    Raises:
      ValueError: the two say different things of one name, or `own` holds no pairs.
    """
    around: Any = _spmd.get_logical_axis_rules() if context is None else tuple(context)
    own = _pairs(own)
    if not around and not own:
        return names
    rules = _spmd.composite_rules(around, own)
    return tuple(_spmd.from_sharding_rules(names, rules))


def _pairs(rules: Any) -> tuple[Any, ...]:
    """A Variable's own rules, which may be any object that its user gave."""
    if rules is None:
        return ()
    try:
        return tuple((name, axis) for name, axis in rules)
    except Exception:
        raise ValueError("the Variable's sharding_rules are no pairs of names") from None


def context_rules() -> Any:
    """The rules of ``logical_axis_rules`` that are in force."""
    return _spmd.get_logical_axis_rules()


def context_mesh() -> Any:
    """The mesh of ``jax.set_mesh``, ``use_mesh`` or ``with mesh:``, None without."""
    mesh: Any = cast(Any, jax.sharding).get_abstract_mesh()
    if not mesh.empty:
        return mesh
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resources: Any = getattr(cast(Any, jax).interpreters.pxla, "thread_resources", None)
    mesh = None if resources is None else resources.env.physical_mesh
    return None if mesh is None or mesh.empty else mesh


def mesh_of(metadata: Mapping[str, Any]) -> Any:
    """The mesh in a Variable's metadata; None if it has none."""
    mesh = metadata.get("mesh")
    return mesh if isinstance(mesh, Mesh | AbstractMesh) and not mesh.empty else None


def axis_names(names: Any) -> tuple[Any, ...]:
    """Axis names as one tuple: ``("data",)`` for an axis means the same as ``"data"``."""
    entries = [*_entries(names)]
    while entries and entries[-1] is None:
        entries.pop()
    return tuple(entries)


def _entries(names: Any) -> tuple[Any, ...]:
    at = getattr(names, "sharding", names)  # a Format has a layout beside it
    spec = at.spec if isinstance(at, NamedSharding) else at
    if not isinstance(spec, tuple | list | PartitionSpec):
        return (_plain_axis(spec),)
    return tuple(_plain_axis(entry) for entry in storage_.entries_of(spec))


def _plain_axis(entry: Any) -> Any:
    if entry is None or isinstance(entry, str):
        return entry
    if isinstance(entry, tuple | list):
        items = [_plain_axis(item) for item in cast(Any, entry)]
        return items[0] if len(items) == 1 else tuple(items) or None
    try:
        hash(entry)
        is_plain = bool(entry == entry and str(entry))
    except Exception:  # metadata may be of any class; names are compared, hashed and shown
        is_plain = False
    return entry if is_plain else f"<{type(entry).__name__}>"
