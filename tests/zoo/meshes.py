"""Meshes of eight devices, and what JAX and Flax call the contexts around them."""

from __future__ import annotations

from typing import Any

import jax
from flax import linen
from jax.sharding import AxisType, Mesh

#: The context of a mesh: `jax.set_mesh` was `jax.sharding.use_mesh`.
set_mesh: Any = getattr(jax, "set_mesh", None) or getattr(jax.sharding, "use_mesh", None)
#: The context of axis rules: `flax.core.spmd` has it on every supported Flax.
rules_of: Any = linen.logical_axis_rules


def mesh_of(*kinds: AxisType, shape: tuple[int, ...] = (4, 2)) -> Mesh:
    """Devices for fsdp and for tensor parallelism; kinds of axes: none is Auto, one is both."""
    both = kinds * 2 if len(kinds) == 1 else kinds or (AxisType.Auto,) * 2
    return jax.make_mesh(shape, ("fsdp", "tensor"), axis_types=both)
