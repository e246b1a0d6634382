"""The dims of a Flax layer's use, with their roles; `fields` calls it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    layer: Layer, column: Sequence[Layer | None], key: str, title: str, attributes: Attributes
) -> tuple[tuple[tuple[str, Slot | None], ...], list[Slot]]:
    """The dims of a layer that have a size somewhere, each with its slot; and the slots.

    Args:
      layer: the layer in its first occurrence.
      column: the layer in each occurrence, None where it is absent.
      key: the attribute that holds it.
      title: the name of the class that has the attribute.
      attributes: all attributes of that class.
    """
    slots: list[Slot] = []
    dims: list[tuple[str, Slot | None]] = []
    unit = object()
    for index, (dim, _) in enumerate(layer.sizes):
        sizes = tuple(None if one is None else one.sizes[index][1] for one in column)
        if all(size is None for size in sizes):
            continue
        role = of_layer(layer.schema.__name__, dim, attributes.projection(key))
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


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a class, and what stands among them.

    Attributes:
      keys: all of them.
      has_queries: one makes queries, keys or values.
      has_first_half: one is the first half of an MLP, or its gate.
      chooses_experts: a gate among them is that of a mixture of experts.
    """

    keys: frozenset[str] = frozenset()
    has_queries: bool = False
    has_first_half: bool = False
    chooses_experts: bool = False

    @classmethod
    def of(cls, keys: frozenset[str]) -> Attributes:
        """Looks once at what the attributes are called."""
        halves = sum(map(is_first_half, keys - {"gate"}))
        experts = halves > 1 or any("expert" in key.lower() for key in keys)
        first = halves > 0 or ("gate" in keys and is_first_half("gate"))
        return Attributes(keys, any(map(is_query, keys)), first, experts)

    def projection(self, key: str) -> str:
        """An attribute as that of a layer between two widths, by what stands beside it.

        Empty for one of many in a row, and for the second half of an MLP or of attention without
        its first.
        """
        if not self._is_paired(key):
            return ""
        if key == "gate" and self.chooses_experts:
            return "router"
        attends = self.has_queries or "att" in key.lower()
        if is_second_half(key) and not self.has_first_half:
            return "out_proj" if attends else ""
        return "" if is_merge(key) and not attends else key

    def _is_paired(self, key: str) -> bool:
        """False for a key with 1 or 2 that is not one of two, as the layers of an MLP are."""
        stem = key.rstrip("0123456789")
        number = key[len(stem) :]
        if stem in ("wi", "wi_"):  # T5's two gates
            return True
        if number not in ("1", "2"):
            return True
        both = f"{stem}1" in self.keys and f"{stem}2" in self.keys
        return both and f"{stem}3" not in self.keys
