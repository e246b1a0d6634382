"""Compares the real sharding of an array with the one that its axis names ask for.

Only metadata is read: no transfer, no communication, and a running computation is not waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from .._compat import axis_rules, variables
from .axis_names import Names, Rules, axes_of, lacking, problems, resolve, room, show_names, spread
from .outcome import MATCH, Outcome, Wanted
from .shard_map import compare_shard, manual_axes

_spec: Final[Any] = PartitionSpec
Shape = tuple[int, ...]
_AUTO: Final = "is Auto: a tracer does not show it"


def compare_placement(
    value: Any, names: Names, rules: Rules | None, metadata: Mapping[str, Any]
) -> Outcome:
    """Compares where an array really is with declared names.

    Args:
      value: a concrete array, also one that is not fully addressable, a tracer, a reference,
        an abstract value, or a numpy array.
      names: as declared, or as its Variable's metadata has them.
      rules: of the form; None for those of the context.
      metadata: of its Variable: ``sharding_rules`` and ``mesh`` are read.
    """
    rank, own = len(value.shape), metadata.get("sharding_rules")
    at = None if variables.is_traced(value) else getattr(value, "sharding", None)
    if isinstance(at, NamedSharding):
        if callable(rules):  # its answers are not ours to keep
            return _compare_on_mesh(at, value.shape, names, rules, own)
        key: Any = (at, value.shape, names, rules, own, axis_rules.context_rules())
        try:
            hash(key)
        except Exception:  # rules in lists, or of a class of the user's own
            return _compare_on_mesh(at, value.shape, names, rules, own)
        return _compare_cached(*key)
    declared = spread(names, rank)
    wanted = _resolved(declared, rank, rules, own)
    if isinstance(wanted, Outcome):
        return wanted
    if variables.is_traced(value):
        return _compare_traced(variables.type_of(value), declared, wanted)
    mesh = axis_rules.mesh_of(metadata) or axis_rules.context_mesh()
    if at is None:
        kind = "a numpy array" if isinstance(value, np.ndarray) else "no sharding"
        return _compare_whole(wanted, kind, mesh)
    at = getattr(at, "sharding", at)  # a Format has a layout beside it
    if isinstance(at, NamedSharding):
        return _compare_named(at, declared, wanted, value.shape)
    return _compare_other(at, wanted, mesh, rank)


def _resolved(declared: Names, rank: int, rules: Rules | None, own: Any) -> Names | Outcome:
    """The names of mesh axes, or what is wrong with them whatever the placement."""
    try:
        wanted = resolve(declared, rules, own)
    except ValueError as error:
        return Outcome(
            "mismatch", show_names(declared), "rules that contradict each other", str(error)
        )
    if len(wanted) > rank:
        return Outcome("mismatch", room(rank), show_names(wanted))
    return wanted


@lru_cache(maxsize=1024)
def _compare_cached(
    at: NamedSharding, shape: Shape, names: Names, rules: Rules | None, own: Any, context: Any
) -> Outcome:
    """The comparison on a mesh; `context` stands in the key only, as `resolve` reads it."""
    return _compare_on_mesh(at, shape, names, rules, own)


def _compare_on_mesh(
    at: NamedSharding, shape: Shape, names: Names, rules: Rules | None, own: Any
) -> Outcome:
    declared = spread(names, len(shape))
    wanted = _resolved(declared, len(shape), rules, own)
    return wanted if isinstance(wanted, Outcome) else _compare_named(at, declared, wanted, shape)


def _compare_named(at: NamedSharding, declared: Names, names: Names, shape: Shape) -> Outcome:
    wanted, actual = Wanted(names, at.mesh), axis_rules.axis_names(at.spec)
    if lost := lacking(at.mesh, declared, names):
        return Outcome("mismatch", show_names(names), show_names(actual), lost)
    if wanted.differs(actual):
        faults = [f"{needed}, found {found}" for needed, found in problems(names, shape, at.mesh)]
        note = f"no array of this shape can be: needs {faults[0]}" if faults else ""
        return Outcome("mismatch", show_names(names), show_names(actual), note)
    unreduced = getattr(at.spec, "unreduced", None)
    if unreduced:
        axes = ", ".join(map(repr, sorted(unreduced)))
        return Outcome("mismatch", show_names(names), f"partial sums over {axes}")
    return wanted.verdict()


def _compare_traced(aval: Any, declared: Names, names: Names) -> Outcome:
    """Explicit axes show their split, Auto ones don't, Manual ones a part of it."""
    sharding = getattr(aval, "sharding", None)
    mesh = getattr(sharding, "mesh", None)
    if sharding is None or mesh is None or mesh.empty:
        return Outcome("unknown", show_names(names), "a tracer without a mesh does not show it")
    actual = axis_rules.axis_names(sharding.spec)
    if lost := lacking(mesh, declared, names):
        return Outcome("mismatch", show_names(names), show_names(actual), lost)
    manual = manual_axes(mesh)
    hidden = dict.fromkeys(_auto_axes(mesh), _AUTO)
    wanted = Wanted(names, mesh, hidden | dict.fromkeys(manual, ""))
    if wanted.differs(actual):
        return Outcome("mismatch", show_names(names), show_names(actual))
    shard = compare_shard(aval, wanted, manual) if manual else MATCH
    if shard.outcome != "match":
        return shard
    verdict = Wanted(names, mesh, hidden).verdict()
    if verdict.outcome == "match" and hidden:
        name = next(iter(hidden))
        verdict = Outcome("unknown", show_names(names), f"{name!r} {_AUTO}")
    return Outcome(verdict.outcome, verdict.expected, verdict.actual, shards=shard.shards)


def _auto_axes(mesh: Any) -> list[Any]:
    kinds = zip(mesh.axis_names, mesh.axis_types, strict=True)
    auto: Any = jax.sharding.AxisType.Auto
    return [name for name, kind in kinds if kind == auto and mesh.shape[name] != 1]


def _compare_other(at: Any, names: Names, mesh: Any, rank: int) -> Outcome:
    """A sharding without axis names: one device, GSPMD's, pmap's."""
    devices = at.num_devices if hasattr(at, "num_devices") else len(at.device_set)
    if devices == 1:
        return _compare_whole(names, "an array on one device", mesh)
    if at.is_fully_replicated:
        return _compare_whole(names, f"copies on {devices} devices", mesh)
    kind = type(at).__name__
    if isinstance(mesh, jax.sharding.Mesh) and not Wanted(names, mesh).strange():
        if at.is_equivalent_to(NamedSharding(mesh, _spec(*names)), rank):
            return MATCH
        return Outcome("mismatch", show_names(names), f"a {kind} that differs")
    return Outcome(
        "unknown", show_names(names), f"a {kind} has no axis names, and no mesh is given"
    )


def _compare_whole(names: Names, actual: str, mesh: Any) -> Outcome:
    """An array that is whole on each of its devices."""
    wanted = Wanted(names, mesh)
    if not any(axes_of(entry) for entry in names):
        return MATCH
    if mesh is not None and wanted.strange():
        known = [n for entry in names for n in axes_of(entry) if n in wanted.sizes()]
        if all(wanted.sizes()[name] == 1 for name in known):
            return wanted.verdict()
    elif mesh is not None and not any(wanted.visible(entry) for entry in names):
        return MATCH
    return Outcome("mismatch", show_names(names), actual)
