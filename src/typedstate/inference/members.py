"""One of several optimizers that ``nnx.vmap`` makes at once.

Their states have no layers, in which `stacks` finds the axis of several models.
"""

from __future__ import annotations

from typing import Any, Final, cast

import jax
from flax import nnx

from .._compat import variables

#: What the axis of several whole models is called.
ENSEMBLE: Final = "ensemble"


def count_of(optimizer: Any) -> int | None:
    """How many optimizers one node is, by its step; None for a single one."""
    shapes = [getattr(leaf, "shape", ()) for leaf in jax.tree.leaves(nnx.state(optimizer))]
    counts = {shape[0] if shape else None for shape in shapes}
    of_steps = getattr(variables.raw_value(optimizer.step), "shape", ())
    return counts.pop() if len(counts) == len(of_steps) == 1 else None


def member_of(node: Any) -> Any:
    """One of several nodes, abstract: each array without its first axis."""
    graphdef, state = nnx.split(node)
    return nnx.merge(graphdef, jax.tree.map(_without_axis, state))


def _without_axis(array: Any) -> Any:
    return cast(Any, jax).ShapeDtypeStruct(array.shape[1:], array.dtype)
