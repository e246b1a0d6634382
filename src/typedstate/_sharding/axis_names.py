"""Axis names: shows them, resolves them by rules, and tells whether a mesh can split by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from jax.sharding import PartitionSpec

from .._compat import axis_rules
from .._compat.storage import ANYWHERE, Storage

Names = tuple[Any, ...]
Rules = Iterable[tuple[str, Any]] | Callable[[Names], Any]

#: An axis of which a PartitionSpec says nothing.
ANY: Final[Any] = PartitionSpec.UNCONSTRAINED


def show_names(names: Iterable[Any], storage: Storage = ANYWHERE) -> str:
    """Axis names as a PartitionSpec is written: ``P('embed', None)``, with the sums if any."""
    shown = ", ".join("..." if name is ... else repr(name) for name in names)
    words = storage.words()
    return f"P({shown}{words if shown else words.removeprefix(', ')})"


def show_placement(names: Iterable[Any] | None, storage: Storage) -> str:
    """What is declared of a leaf's sharding; empty where nothing is."""
    shown = "" if not names and storage.sums == ANYWHERE else show_names(names or (), storage)
    memory = "" if storage.memory_kind is None else f"in {storage.memory_kind}"
    return " ".join(part for part in (shown, memory) if part)


def show_mesh(mesh: Any) -> str:
    """The axes of a mesh: ``fsdp=4, tensor=2``."""
    return ", ".join(f"{name}={size}" for name, size in mesh.shape.items())


def as_rules(rules: Any) -> Rules | None:
    """Rules as hashable data: a callable, or pairs of a logical name and axes of the mesh.

    Raises:
      TypeError: they are neither.
    """
    if rules is None:
        return None
    if callable(rules):
        return cast("Callable[[Names], Any]", rules)
    pairs = cast("Iterable[tuple[str, Any]]", rules)
    return tuple((str(name), _frozen(axes)) for name, axes in pairs)


def _frozen(axes: Any) -> Any:
    return (*axes,) if isinstance(axes, list) else axes


def spread(names: Names, rank: int | None) -> Names:
    """Names with as many None in the place of ``...`` as the rank leaves."""
    if ... not in names:
        return names
    at = names.index(...)
    if rank is None:
        return names
    return (*names[:at], *(None,) * (rank - len(names) + 1), *names[at + 1 :])


def spellings(names: Names, stacked: tuple[int, ...], rank: int | None) -> tuple[Names, ...]:
    """Names as metadata may have them: whole, or without the None of stacked axes.

    ``nnx.vmap`` and ``nnx.scan`` put an entry for their axis into metadata where they are given
    ``nnx.PARTITION_NAME``, and otherwise leave the metadata as it was.

    Args:
      names: of each axis, those that are stacked among them.
      stacked: the axes without a name that metadata may leave out.
      rank: of the array, None where it is no array.
    """
    found = [names]
    width = len(names) if rank is None else rank
    places = {axis if axis >= 0 else width + axis for axis in stacked}
    for axis in sorted(places, reverse=True):
        found += [(*one[:axis], *one[axis + 1 :]) for one in found if axis < len(one)]
    return tuple(dict.fromkeys(found))


def whole(names: Names, stacked: tuple[int, ...], rank: int) -> Names:
    """The names of every axis, where metadata leaves out those that were stacked last.

    Args:
      names: as metadata has them, unspread and as long as they are written.
      stacked: the axes that it may leave out, the innermost first.
      rank: of the array.
    """
    lacking = min(max(rank - len(names), 0), len(stacked))
    places = sorted(
        axis if axis >= 0 else rank + axis for axis in stacked[len(stacked) - lacking :]
    )
    for axis in places:
        names = (*names[:axis], *(None,) * (axis - len(names)), None, *names[axis:])
    return names


def resolve(names: Names, rules: Rules | None = None, own: Any = None) -> Names:
    """Axis names as a mesh has them, resolved by Flax's functions.

    Args:
      names: logical or mesh names, one per axis.
      rules: pairs in the place of the context's ``logical_axis_rules``, or a callable such as
        ``functools.partial(flax.linen.logical_to_mesh_axes, rules=...)``.
      own: the Variable's ``sharding_rules``.

    Raises:
      ValueError: the rules contradict each other.
    """
    if not names:
        return ()
    if callable(rules):
        found = rules(names)
        return axis_rules.axis_names(() if found is None else found)
    return axis_rules.axis_names(axis_rules.resolve_names(names, rules, own))


def resolve_storage(storage: Storage, rules: Rules | None = None, own: Any = None) -> Storage:
    """The sums with axes of the mesh, each name by the rules for one axis of an array.

    Raises:
      ValueError: the rules contradict each other.
    """
    if storage.sums == ANYWHERE:
        return storage

    def renamed(name: Any) -> tuple[Any, ...]:
        return tuple(axis for entry in resolve((name,), rules, own) for axis in axes_of(entry))

    return storage.named(renamed)


def axes_of(entry: Any) -> tuple[Any, ...]:
    """The mesh axes that one entry of a PartitionSpec names."""
    if entry is None or entry is ANY:
        return ()
    return tuple(cast("Names", entry)) if isinstance(entry, tuple | list) else (entry,)


def room(rank: int) -> str:
    """The names that an array of this rank has room for."""
    return f"names for {rank} {'axis' if rank == 1 else 'axes'}"


def all_axes(names: Names) -> set[Any]:
    """The mesh axes that all entries name."""
    return {name for entry in names for name in axes_of(entry)}


def problems(
    names: Names,
    shape: Sequence[int | None] | None,
    mesh: Any,
    storage: Storage = ANYWHERE,
) -> Iterator[tuple[str, str]]:
    """Yields why an array can't be split by these names on a mesh: expected, actual.

    Args:
      names: resolved to axes of the mesh.
      shape: of the array; a size is None where it is open, and so is the shape.
      mesh: concrete or abstract; None where names and rank are all that is looked at.
      storage: with the sums, over axes of the mesh.
    """
    text = show_names(names, storage)
    if shape is not None and len(names) > len(shape):
        yield room(len(shape)), text
        return
    seen: set[Any] = set()
    sizes: Mapping[Any, int] = {} if mesh is None else mesh.shape
    for axis, entry in enumerate(names):
        for name in axes_of(entry):
            if name in seen:
                yield f"{name!r} at one axis only, as a mesh axis splits one", text
            elif mesh is not None and name not in sizes:
                yield f"axes of the mesh ({show_mesh(mesh)})", f"{name!r} in {text}"
            seen.add(name)
        known = {name: sizes[name] for name in axes_of(entry) if name in sizes}
        size = None if shape is None else shape[axis]
        # whether a symbolic size can be divided shows once it has a value
        if isinstance(size, int) and size % math.prod(known.values()):
            by = "*".join(f"{name}={parts}" for name, parts in known.items())
            yield f"axis {axis} divisible by {by}", f"size {size}"
    for name in sorted(storage.unreduced | storage.reduced, key=str):
        if name in seen or name in storage.unreduced & storage.reduced:
            yield f"{name!r} once, as a mesh axis splits an axis or is summed over", text
        elif mesh is not None and name not in sizes:
            yield f"axes of the mesh ({show_mesh(mesh)})", f"{name!r} in {text}"


def lacking(mesh: Any, declared: Names, resolved: Names) -> str:
    """A message about a mesh without an axis that the rules name; empty if it has them all."""
    if mesh is None:
        return ""
    ruled = all_axes(resolved) - all_axes(declared)
    lost = sorted(name for name in ruled if name not in mesh.shape)
    return f"the mesh ({show_mesh(mesh)}) has no axis {lost[0]!r}" if lost else ""
