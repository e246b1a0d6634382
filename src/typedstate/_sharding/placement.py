"""Compares the real sharding of an array with the one that its axis names ask for.

Only metadata is read: no transfer, no communication, and a running computation is not waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jax
import numpy as np
from jax.sharding import NamedSharding
from msgspec.structs import replace

from .._compat import axis_rules, variables
from .._compat.storage import ANYWHERE, Storage, memory_of, partition, sums_of
from .axis_names import (
    Names,
    Rules,
    axes_of,
    lacking,
    problems,
    resolve,
    resolve_storage,
    room,
    show_names,
    spread,
)
from .outcome import MATCH, Outcome, Wanted
from .shard_map import compare_shard, manual_axes

Shape = tuple[int, ...]
#: The arguments of `_compare_on_mesh`.
_Asked = tuple[NamedSharding, Shape, Names, Rules | None, Any, Storage]
_AUTO: Final = "is Auto: a tracer does not show it"


def compare_placement(
    value: Any,
    names: Names,
    rules: Rules | None,
    metadata: Mapping[str, Any],
    storage: Storage = ANYWHERE,
) -> Outcome:
    """Compares where an array really is with declared names.

    Args:
      value: a concrete array, also one that is not fully addressable, a tracer, a reference,
        an abstract value, or a numpy array.
      names: as declared, or as its Variable's metadata has them.
      rules: of the form; None for those of the context.
      metadata: of its Variable: ``sharding_rules`` and ``mesh`` are read.
      storage: the sums that are declared beside the names.
    """
    rank, own = len(value.shape), metadata.get("sharding_rules")
    at = None if variables.is_traced(value) else getattr(value, "sharding", None)
    if isinstance(at, NamedSharding):
        asked = at, value.shape, names, rules, own, storage
        context = axis_rules.context_rules()
        if callable(rules):  # its answers are not ours to keep
            return _compare_on_mesh(*asked)
        try:
            hash((asked, context))
        except Exception:  # rules in lists, or of a class of the user's own
            return _compare_on_mesh(*asked)
        return _compare_cached(asked, context)
    declared = spread(names, rank)
    resolved = _resolved(declared, rank, rules, own, storage)
    if isinstance(resolved, Outcome):
        return resolved
    names, sums = resolved
    if variables.is_traced(value):
        return _compare_traced(variables.type_of(value), declared, names, sums)
    mesh = axis_rules.mesh_of(metadata) or axis_rules.context_mesh()
    wanted = Wanted(names, mesh, storage=sums)
    if at is None:
        return _compare_whole(wanted, without_sharding(value))
    at = getattr(at, "sharding", at)  # a Format has a layout beside it
    if isinstance(at, NamedSharding):
        return _compare_named(at, declared, names, sums, value.shape)
    return _compare_other(at, wanted, rank)


def _resolved(
    declared: Names, rank: int, rules: Rules | None, own: Any, storage: Storage
) -> tuple[Names, Storage] | Outcome:
    """The names of mesh axes, or what is wrong with them whatever the placement."""
    try:
        wanted, sums = resolve(declared, rules, own), resolve_storage(storage.sums, rules, own)
    except ValueError as error:
        shown = show_names(declared, storage)
        return Outcome("mismatch", shown, "rules that contradict each other", str(error))
    if len(wanted) > rank:
        return Outcome("mismatch", room(rank), show_names(wanted, sums))
    return wanted, sums


@lru_cache(maxsize=1024)
def _compare_cached(asked: _Asked, context: Any) -> Outcome:
    """The comparison on a mesh; `context` stands in the key only, as `resolve` reads it."""
    return _compare_on_mesh(*asked)


def _compare_on_mesh(
    at: NamedSharding,
    shape: Shape,
    names: Names,
    rules: Rules | None,
    own: Any,
    storage: Storage,
) -> Outcome:
    declared = spread(names, len(shape))
    resolved = _resolved(declared, len(shape), rules, own, storage)
    if isinstance(resolved, Outcome):
        return resolved
    return _compare_named(at, declared, *resolved, shape)


def _compare_named(
    at: NamedSharding, declared: Names, names: Names, sums: Storage, shape: Shape
) -> Outcome:
    wanted, actual = Wanted(names, at.mesh, storage=sums), axis_rules.axis_names(at.spec)
    found = sums_of(at.spec)
    if lost := lacking(at.mesh, declared, names):
        return Outcome("mismatch", wanted.text, show_names(actual, found), lost)
    if wanted.differs(actual):
        faults = [f"{needed}, found {found}" for needed, found in problems(names, shape, at.mesh)]
        note = f"no array of this shape can be: needs {faults[0]}" if faults else ""
        return Outcome("mismatch", wanted.text, show_names(actual, found), note)
    return _compare_sums(wanted, actual, found) or wanted.verdict()


def _compare_sums(wanted: Wanted, actual: Names, found: Storage) -> Outcome | None:
    """Whether the sums are as declared, once the split is."""
    if not wanted.sums_differ(found):
        return None
    if wanted.storage == ANYWHERE:
        axes = ", ".join(map(repr, sorted(found.unreduced, key=str)))
        return Outcome("mismatch", wanted.text, f"partial sums over {axes}")
    return Outcome("mismatch", wanted.text, show_names(actual, found))


def _compare_traced(aval: Any, declared: Names, names: Names, sums: Storage) -> Outcome:
    """Explicit axes show their split, Auto ones don't, Manual ones a part of it."""
    sharding = getattr(aval, "sharding", None)
    mesh = getattr(sharding, "mesh", None)
    if sharding is None or mesh is None or mesh.empty:
        shown = show_names(names, sums)
        return Outcome("unknown", shown, "a tracer without a mesh does not show it")
    actual, found = axis_rules.axis_names(sharding.spec), sums_of(sharding.spec)
    manual = manual_axes(mesh)
    hidden = dict.fromkeys(_auto_axes(mesh), _AUTO)
    wanted = Wanted(names, mesh, hidden | dict.fromkeys(manual, ""), sums)
    if lost := lacking(mesh, declared, names):
        return Outcome("mismatch", wanted.text, show_names(actual, found), lost)
    if wanted.differs(actual):
        return Outcome("mismatch", wanted.text, show_names(actual, found))
    if other := _compare_sums(wanted, actual, found):
        return other
    shard = compare_shard(aval, wanted, manual) if manual else MATCH
    if shard.outcome != "match":
        return shard
    seen = frozenset(manual)  # compare_shard has looked at their sums
    left = Storage(None, sums.unreduced - seen, sums.reduced - seen)
    verdict = Wanted(names, mesh, hidden, left).verdict()
    if verdict.outcome == "match" and hidden:
        name = next(iter(hidden))
        verdict = Outcome("unknown", wanted.text, f"{name!r} {_AUTO}")
    return Outcome(verdict.outcome, verdict.expected, verdict.actual, shards=shard.shards)


def _auto_axes(mesh: Any) -> list[Any]:
    kinds = zip(mesh.axis_names, mesh.axis_types, strict=True)
    auto: Any = jax.sharding.AxisType.Auto
    return [name for name, kind in kinds if kind == auto and mesh.shape[name] != 1]


def _compare_other(at: Any, wanted: Wanted, rank: int) -> Outcome:
    """A sharding without axis names: one device, GSPMD's, pmap's."""
    devices = at.num_devices if hasattr(at, "num_devices") else len(at.device_set)
    if devices == 1:
        found = Outcome("mismatch", "", "an array on one device", unplaced="on one device")
        return _compare_whole(wanted, found)
    if at.is_fully_replicated:
        return _compare_whole(wanted, Outcome("mismatch", "", f"copies on {devices} devices"))
    kind, mesh = type(at).__name__, wanted.mesh
    if isinstance(mesh, jax.sharding.Mesh) and not wanted.strange():
        if at.is_equivalent_to(NamedSharding(mesh, partition(wanted.names, wanted.storage)), rank):
            return MATCH
        return Outcome("mismatch", wanted.text, f"a {kind} that differs")
    return Outcome("unknown", wanted.text, f"a {kind} has no axis names, and no mesh is given")


def without_sharding(value: Any) -> Outcome:
    """The outcome for a value that has no sharding where one is declared."""
    if isinstance(value, np.ndarray):
        return Outcome("mismatch", "", "a numpy array", unplaced="numpy's")
    return Outcome("mismatch", "", "no sharding")


def _compare_whole(wanted: Wanted, found: Outcome) -> Outcome:
    """An array that is whole on each of its devices, or a part of a sum on one.

    Args:
      wanted: the declared axes.
      found: the outcome if these split it, yet without `expected`.
    """
    entries = (*wanted.names, *wanted.storage.unreduced, *wanted.storage.reduced)
    if not any(axes_of(entry) for entry in entries):
        return MATCH
    if wanted.mesh is not None and wanted.strange():
        known = [n for entry in entries for n in axes_of(entry) if n in wanted.sizes()]
        if all(wanted.sizes()[name] == 1 for name in known):
            return wanted.verdict()
    elif wanted.mesh is not None and not any(wanted.visible(entry) for entry in entries):
        return MATCH
    return replace(found, expected=wanted.text)


def compare_memory(value: Any, storage: Storage) -> Outcome:
    """Compares the memory in which an array lies with the declared one.

    Args:
      value: an array, a tracer, an abstract value, or a sharding that stands for one.
      storage: with the kind that is declared.
    """
    wanted = storage.memory_kind
    if wanted is None:
        return MATCH
    expected = f"memory kind {wanted!r}"
    if isinstance(value, np.ndarray):
        return replace(without_sharding(value), expected=expected)
    found = memory_of(variables.type_of(value) if variables.is_traced(value) else value)
    if found is None:
        if isinstance(value, NamedSharding):
            return Outcome("mismatch", expected, "no memory kind")
        return Outcome("unknown", expected, "in which memory it lies is not shown")
    if wanted not in found:
        return Outcome("mismatch", expected, f"memory kind {found[0]!r}")
    return MATCH
