"""Infers the shape of a whole array from one of its shards inside ``jax.shard_map``.

JAX knows over which manual axes a value varies, not which of its own axes they split; with
``check_vma=False`` it knows neither. See ``jax.shard_map``, section on varying manual axes.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

import jax

from .._compat import variables
from .axis_names import axes_of
from .outcome import Outcome, Wanted

_jax: Final = cast(Any, jax)
_UNTRACKED: Final = "check_vma=False keeps no record of what varies over it"
_OUTSIDE: Final = "out_specs of shard_map would refuse it"


def manual_axes(mesh: Any) -> tuple[Any, ...]:
    """The axes of a mesh that shard_map has taken apart; one of size 1 takes nothing apart."""
    return tuple(
        name
        for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True)
        if kind == _jax.sharding.AxisType.Manual and mesh.shape[name] != 1
    )


def is_shard(tracer: Any) -> bool:
    """Whether a tracer is one shard of an array outside of ``shard_map``."""
    mesh = getattr(getattr(variables.type_of(tracer), "sharding", None), "mesh", None)
    return mesh is not None and not mesh.empty and bool(manual_axes(mesh))


def compare_shard(aval: Any, wanted: Wanted, axes: tuple[Any, ...]) -> Outcome:
    """Compares a shard with the declared axes of the whole array.

    Args:
      aval: of the shard.
      wanted: the declared axes.
      axes: of the mesh, those that are manual.
    """
    varying, unreduced = _varying(aval) & set(axes), _unreduced(aval) & set(axes)
    expected, declared = wanted.text, set(wanted.storage.unreduced) & set(axes)
    if unreduced - declared:
        return Outcome("mismatch", expected, f"partial sums over {_list(unreduced - declared)}")
    if (whole := declared - unreduced) and _tracks(axes[0]):
        return Outcome("mismatch", expected, f"no partial sums over {_list(whole)}")
    if whole:
        why = f"{min(whole, key=str)!r} is Manual: {_UNTRACKED}"
        return Outcome("unknown", expected, why)
    split = {name for entry in wanted.names for name in axes_of(entry)} & set(axes)
    if astray := varying - split:
        actual = f"a value that varies over {_list(astray)}"
        return Outcome("mismatch", expected, actual, _OUTSIDE)
    sizes, rank = wanted.sizes(), len(aval.shape)
    entries = (*wanted.names, *(None,) * (rank - len(wanted.names)))
    shards = tuple(math.prod(sizes[n] for n in axes_of(entry) if n in split) for entry in entries)
    why = _doubt(varying, split, axes, rank)
    if not why:
        return Outcome("match", shards=shards if split else ())
    name = next((n for n in axes if n in split - varying), None) or min(split or axes, key=str)
    return Outcome("unknown", expected, f"{name!r} is Manual: {why}", shards=shards)


def _doubt(varying: set[Any], split: set[Any], axes: tuple[Any, ...], rank: int) -> str:
    """The reason why a shard can't show whether the whole is split as declared; empty if it can."""
    if not varying and not _tracks(axes[0]):
        return _UNTRACKED
    if split - varying:
        return "the value does not vary over it, so it is a shard or a copy"
    if len(split) > 1 or (split and rank > 1):
        return "one shard does not show which axis it splits"
    return ""


def _list(names: set[Any]) -> str:
    return ", ".join(map(repr, sorted(names, key=str)))


def _varying(aval: Any) -> set[Any]:
    """The manual axes over which a value differs, as far as JAX keeps a record."""
    kept = getattr(aval, "manual_axis_type", None)
    return set(getattr(aval, "vma", ()) if kept is None else kept.varying)


def _unreduced(aval: Any) -> set[Any]:
    """The axes over which a value is still to be summed; JAX before 0.9 has none."""
    kept = getattr(aval, "manual_axis_type", None)
    if kept is None:  # JAX 0.9 keeps them in the spec
        kept = getattr(getattr(aval, "sharding", None), "spec", None)
    return set(getattr(kept, "unreduced", ()))


def _tracks(axis: Any) -> bool:
    """Whether JAX records what varies: an index along the axis always does.

    It is asked in a trace of its own, so the user's jaxpr stays as it is.
    """
    found: list[bool] = []

    def ask() -> Any:
        index = _jax.lax.axis_index(axis)
        found.append(bool(_varying(_jax.typeof(index))))
        return index

    _jax.eval_shape(ask)
    return found[0]
