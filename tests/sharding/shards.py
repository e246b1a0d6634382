"""A sharded model, and what is said of it inside of `shard_map`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float

from tests.zoo import leaf, state
from tests.zoo.meshes import mesh_of
from typedstate import Placed, Sharded, TypedState

shard_map: Any = jax.shard_map


def inside(
    look: Callable[[Any], Any], tree: Any, specs: Any, mesh: Mesh | None = None, **options: Any
) -> Any:
    """What a function says of the shards."""
    found: list[Any] = []

    def body(shards: Any) -> None:
        found.append(look(shards))

    jax.jit(shard_map(body, mesh=mesh or mesh_of(), in_specs=(specs,), out_specs=None, **options))(
        tree
    )
    return found[0]


class VectorState(TypedState):
    v: nnx.Param[Float[Array, "d"]]


def vector(size: int = 8) -> Any:
    return state({"v": leaf(nnx.Param, jnp.ones(size))})


Split = Placed[Sharded[VectorState, "d=fsdp"]]
Whole = Placed[Sharded[VectorState, "d=None"]]
