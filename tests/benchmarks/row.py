"""A line of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
from flax import nnx

from .measure import Time

NOTHING = Time(0.0, 0.0)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      work: what is done.
      leaves: of the state.
      target: the most that `ratio` should be, None where there is none.
      ours: our time.
      baseline: its name.
      base: its time.
      less: what both times have in them and the ratio leaves out: the undecorated call.
      others: times of the peers by name.
      ratio: ours over the baseline; of the least times.
      unit: of the figures, ``s`` or ``B``.
    """

    work: str
    leaves: int
    target: float | None
    ours: Time
    baseline: str
    base: Time
    less: Time = NOTHING
    others: dict[str, float] = field(default_factory=dict[str, float])
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return (self.ours.least - self.less.least) / max(self.base.least - self.less.least, 1e-12)

    @property
    def median_ratio(self) -> float:
        base = max(self.base.median - self.less.median, 1e-12)
        return (self.ours.median - self.less.median) / base


def state_of(module: Any) -> Any:
    return nnx.state(module)


def count(state: Any) -> int:
    return len(jax.tree.leaves(state))


def least(values: list[float]) -> Time:
    """The least and the median of several times."""
    return Time(min(values), sorted(values)[len(values) // 2])
