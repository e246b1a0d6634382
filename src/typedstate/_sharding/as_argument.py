"""Where the leaves of one argument put those of another tree: `PlacedAs`.

Only metadata is read, as by `compare_placement`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import jax
from jax.sharding import NamedSharding, PartitionSpec
from msgspec.structs import replace

from .._compat import axis_rules, variables
from ..report import Path
from .axis_names import show_names
from .outcome import MATCH, Outcome
from .placement import compare_placement, without_sharding

#: By the path of each leaf, or of a branch of which every leaf is placed so.
Placements = dict[Path, Any]


class _Hidden:
    """The place of an array that a tracer does not show."""

    def __repr__(self) -> str:
        return "hidden"


HIDDEN: Final = _Hidden()
_ONE_DEVICE: Final = "one device"
_Places: Final = (jax.sharding.Sharding, PartitionSpec)


def placements_of(value: Any) -> Placements:
    """Where a tree of shardings, or of arrays, has or puts each of its leaves."""
    found: Placements = {}
    for path, leaf in leaves_of(value):
        place = _place(leaf)
        if place is not None:
            found[path] = place
    return found


def leaves_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yields the leaves of a tree, what Variables hold in their place."""
    for at, leaf in variables.leaves_of(value, path):
        if variables.is_variable(leaf):
            yield from leaves_of(variables.raw_value(leaf), at)
        elif isinstance(leaf, list | tuple) and not isinstance(leaf, _Places):
            for index, item in enumerate(cast("list[Any]", leaf)):
                yield from leaves_of(item, (*at, index))
        else:
            yield at, leaf


def _place(leaf: Any) -> Any:
    """A sharding or PartitionSpec; that of an array; None for what has no place."""
    if isinstance(leaf, _Places):
        return leaf
    if not variables.is_shaped(leaf):
        return None
    if variables.is_traced(leaf):
        return HIDDEN
    at = getattr(leaf, "sharding", None)
    return getattr(at, "sharding", at)  # a Format has a layout beside it


def place_for(places: Placements, path: Path) -> tuple[Path, Any]:
    """The place for a leaf, and the path at which it is given; None where none is."""
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return path[:length], places[path[:length]]
    return path, None


def compare_with(leaf: Any, wanted: Any) -> Outcome:
    """Compares where an array is with the place that another argument has for it."""
    if wanted is HIDDEN:
        return Outcome("unknown", "the place of a tracer", "it does not show where it is")
    is_partition = isinstance(wanted, PartitionSpec)
    if is_partition or variables.is_traced(leaf):
        if not is_partition and not isinstance(wanted, NamedSharding):
            return Outcome("unknown", _show(wanted), "a tracer does not show where it is")
        spec = wanted if is_partition else wanted.spec
        return compare_placement(leaf, axis_rules.axis_names(spec), (), {})
    at = _place(leaf)
    if at is None:
        return replace(without_sharding(leaf), expected=_show(wanted))
    if _is_equivalent(at, wanted, len(leaf.shape)):
        return MATCH
    expected, actual = _show(wanted), _show(at)
    if expected == actual:
        expected, actual = (f"{_show(one)} {_details(one)}" for one in (wanted, at))
    elif actual == _ONE_DEVICE:
        return Outcome("mismatch", expected, actual, unplaced="on one device")
    return Outcome("mismatch", expected, actual)


def _is_equivalent(at: Any, wanted: Any, rank: int) -> bool:
    try:
        return bool(at.is_equivalent_to(wanted, rank) and at.memory_kind == wanted.memory_kind)
    except Exception:  # more names than the array has axes
        return False


def _show(place: Any) -> str:
    if isinstance(place, NamedSharding | PartitionSpec):
        spec = place.spec if isinstance(place, NamedSharding) else place
        return show_names(axis_rules.axis_names(spec))
    devices = len(place.device_set)
    return _ONE_DEVICE if devices == 1 else f"a {type(place).__name__} over {devices} devices"


def _details(place: Any) -> str:
    numbers = ", ".join(str(device.id) for device in _devices(place))
    return f"in {place.memory_kind} of devices {numbers}"


def _devices(place: Any) -> list[Any]:
    if isinstance(place, NamedSharding):
        mesh: Any = place.mesh
        return list(mesh.devices.flat)
    return sorted(place.device_set, key=lambda device: device.id)
