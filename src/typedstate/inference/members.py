"""One of several optimizers that ``nnx.vmap`` makes at once.

Their states have no layers, in which `stacks` finds the axis of several models.
"""

from __future__ import annotations

from typing import Any, Final

import jax
from flax import nnx

#: What the axis of several whole models is called.
ENSEMBLE: Final = "ensemble"


def count_of(optimizer: Any) -> int | None:
    """How many optimizers one node is, by its step; None for a single one."""
    leaves = jax.tree.leaves(nnx.state(optimizer))
    shapes = {tuple(getattr(leaf, "shape", ()))[:1] for leaf in leaves}
    several = len(shapes) == 1 and len(getattr(optimizer.step[...], "shape", ())) == 1
    return shapes.pop()[0] if several else None


def member_of(node: Any) -> Any:
    """One of several nodes, abstract: each array without its first axis."""
    graphdef, state = nnx.split(node)
    shape: Any = jax.ShapeDtypeStruct
    return nnx.merge(graphdef, jax.tree.map(lambda x: shape(x.shape[1:], x.dtype), state))
