"""The dims of a Flax layer's use, with their roles; `fields` calls it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .catalogue import Layer
from .roles import (
    OUT,
    Role,
    is_first_half,
    is_latent,
    is_merge,
    is_query,
    is_second_half,
    of_layer,
    of_run,
)
from .uses import Slot


def layer_dims(
    layer: Layer, column: Sequence[Layer | None], key: str, title: str, keys: Collection[str]
) -> tuple[tuple[tuple[str, Slot | None], ...], list[Slot]]:
    """The dims of a layer that have a size somewhere, each with its slot; and the slots.

    Args:
      layer: the layer in its first occurrence.
      column: the layer in each occurrence, None where it is absent.
      key: the attribute that holds it.
      title: the name of the class that has the attribute.
      keys: the attributes of that class.
    """
    slots: list[Slot] = []
    dims: list[tuple[str, Slot | None]] = []
    unit = object()
    for index, (dim, _) in enumerate(layer.sizes):
        sizes = tuple(None if one is None else one.sizes[index][1] for one in column)
        if all(size is None for size in sizes):
            continue
        role = of_layer(layer.schema.__name__, dim, projection(key, keys))
        if dim == "dout" and is_latent(title, key):
            role = Role(OUT, "latent")
        slots.append(Slot(sizes, role, dim, key, unit))
        dims.append((dim, slots[-1]))
    return tuple(dims), slots


def layer_runs(
    layer: Layer, column: Sequence[Layer | None], key: str
) -> tuple[tuple[str, tuple[Slot, ...]], ...]:
    """The runs of axes of a layer, with a slot for each axis."""
    found: list[tuple[str, tuple[Slot, ...]]] = []
    for index, (name, axes) in enumerate(layer.runs):
        columns = [None if one is None else one.runs[index][1] for one in column]
        slots: list[Slot] = []
        for at, role in enumerate(of_run(layer.schema.__name__, name, len(axes))):
            sizes = tuple(None if sizes is None else sizes[at] for sizes in columns)
            slots.append(Slot(sizes, role, name, key, object()))
        found.append((name, tuple(slots)))
    return tuple(found)


def projection(key: str, keys: Collection[str]) -> str:
    """An attribute as that of a layer between two widths, by what stands beside it.

    Empty for one of many in a row, and for the second half of an MLP or of attention without
    its first.

    Args:
      key: the attribute.
      keys: all attributes of the class.
    """
    if not _is_paired(key, keys):
        return ""
    if key == "gate" and _chooses_experts(keys):
        return "router"
    attends = any(map(is_query, keys)) or "att" in key.lower()
    if is_second_half(key) and not any(map(is_first_half, keys)):
        return "out_proj" if attends else ""
    return "" if is_merge(key) and not attends else key


def _chooses_experts(keys: Collection[str]) -> bool:
    """Whether a gate beside these attributes is that of a mixture of experts."""
    halves = [key for key in keys if key != "gate" and is_first_half(key)]
    return len(halves) > 1 or any("expert" in key.lower() for key in keys)


def _is_paired(key: str, keys: Collection[str]) -> bool:
    """False for a key with 1 or 2 that is not one of two, as the layers of an MLP are."""
    stem = key.rstrip("0123456789")
    number = key[len(stem) :]
    if stem in ("wi", "wi_"):  # T5's two gates
        return True
    if number not in ("1", "2"):
        return True
    others = {other for other in keys if other[: len(stem)] == stem}
    return others >= {f"{stem}1", f"{stem}2"} and f"{stem}3" not in others
