"""Reads arrays of a checkpoint of any format directly to their devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import numpy as np
from jax.sharding import NamedSharding, SingleDeviceSharding

from . import msgpack_reader, orbax_reader, safetensors_reader
from .libraries import jax_, place_of, shaped
from .slots import Slot
from .stored import Checkpoint, Path, StoredLeaf


def as_stored(slot: Slot, target: Any) -> Any:
    """The abstract array to read for a slot; for PRNG keys that of their numbers."""
    if slot.stored.dtype is None:
        return None
    sharding = getattr(target, "sharding", None) or SingleDeviceSharding(jax_.devices()[0])
    dtype = getattr(target, "dtype", slot.stored.dtype)
    if slot.implementation is not None:
        dtype = np.dtype(np.uint32)
        if isinstance(sharding, NamedSharding):
            names = (*sharding.spec, *[None] * (len(slot.stored.shape) - 1 - len(sharding.spec)))
            sharding = NamedSharding(sharding.mesh, jax_.sharding.PartitionSpec(*names, None))
    return shaped(slot.stored.shape, dtype, sharding)


def as_it_is(leaf: StoredLeaf) -> Any:
    """The abstract array to read for a leaf that a migration will stack or take apart."""
    return shaped(leaf.shape, leaf.dtype, SingleDeviceSharding(jax_.devices()[0]))


#: By stored path: the stored leaf, and the ``jax.ShapeDtypeStruct`` of the array to make of it.
Reading = Mapping[Path, tuple[StoredLeaf, Any]]


def read_arrays(checkpoint: Checkpoint, reading: Reading) -> dict[Path, Any]:
    """Reads some leaves of a checkpoint, each to its devices; the result is by stored path."""
    return _READERS[checkpoint.format](checkpoint, reading)


def _from_orbax(checkpoint: Checkpoint, reading: Reading) -> dict[Path, Any]:
    wanted = {
        path: (target, leaf.what == "array")
        for path, (leaf, target) in reading.items()
        if leaf.what != "empty"
    }
    partly = len(wanted) < len(checkpoint.leaves)
    found = orbax_reader.read_arrays(place_of(checkpoint.location), wanted, partly=partly)
    empty = {path: None for path, (leaf, _) in reading.items() if leaf.what == "empty"}
    return found | empty


def _from_safetensors(checkpoint: Checkpoint, reading: Reading) -> dict[Path, Any]:
    leaves = [leaf for leaf, _ in reading.values()]
    found: dict[Path, Any] = {}
    for leaf, value in safetensors_reader.tensors(checkpoint, leaves):
        found[leaf.path] = placed(value, reading[leaf.path][1])
    return found


def _from_msgpack(checkpoint: Checkpoint, reading: Reading) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    for path, value in msgpack_reader.arrays(place_of(checkpoint.location), list(reading)):
        target = reading[path][1]
        found[path] = value if target is None else placed(value, target)
    return found


def placed(value: Any, target: Any) -> Any:
    """Puts a numpy array on the devices of a target; each device gets its part, cast on the way."""
    array = np.asarray(value)
    sharding = target.sharding or SingleDeviceSharding(jax_.devices()[0])

    def part(index: Any) -> Any:
        return array[index].astype(target.dtype, copy=False)

    return jax_.make_array_from_callback(target.shape, sharding, part)


def nothing_yet(target: Any) -> Any:
    """An array of zeros on the devices of a target, to be filled part by part."""
    sharding = target.sharding or SingleDeviceSharding(jax_.devices()[0])
    return _zeros(target.shape, target.dtype, sharding)()


def with_part(whole: Any, part: Any, start: tuple[int, ...]) -> Any:
    """Sets one part of an array. The given array's memory is reused, and the array is deleted."""
    part = np.asarray(part).astype(whole.dtype, copy=False)
    return jax_.block_until_ready(_setter(whole.sharding)(whole, part, start))  # no parts pile up


def _zeros(shape: tuple[int, ...], dtype: Any, sharding: Any) -> Any:
    return jax_.jit(lambda: jax_.numpy.zeros(shape, dtype), out_shardings=sharding)


@cache
def _setter(sharding: Any) -> Any:
    def set_(whole: Any, part: Any, start: Any) -> Any:
        return jax_.lax.dynamic_update_slice(whole, part, start)

    return jax_.jit(set_, donate_argnums=0, out_shardings=sharding)


_READERS: Final[Mapping[str, Callable[[Checkpoint, Reading], dict[Path, Any]]]] = {
    "orbax": _from_orbax,
    "safetensors": _from_safetensors,
    "msgpack": _from_msgpack,
}
