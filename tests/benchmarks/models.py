"""The models whose states are checked, and their schemas.

Flax 0.10 has no ``nnx.List``: a plain list stands for it there.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import StreamState, list_of
from tests.zoo.decoder import Decoder, DecoderState
from tests.zoo.tower import Tower
from typedstate import Bind, StateMap, TypedState
from typedstate.layers import AdamState, OptimizerState

# -- Blocks of two layers: four leaves each ---------------------------------------------------


def tower(leaves: int, d: int = 4) -> Tower:
    """A tower of about so many leaves."""
    return Tower(d, 2 * d, (leaves - 2) // 4, 3, nnx.Rngs(0))


def tower_state(leaves: int, d: int) -> Any:
    """The state of such a tower of any width, made without one."""

    def linear(din: int, dout: int) -> dict[str, Any]:
        return {"kernel": nnx.Param(np.zeros((din, dout))), "bias": nnx.Param(np.zeros(dout))}

    count = (leaves - 2) // 4
    blocks = {i: {"up": linear(d, 2 * d), "down": linear(2 * d, d)} for i in range(count)}
    state: Any = nnx.State({"blocks": blocks, "head": linear(d, 3)})
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), state)


# -- Axis names, on a mesh of one device -------------------------------------------------------


class NamedLinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("data", "model")]
    bias: Annotated[nnx.Param[Float[Array, "dout"]], P("model")]


class NamedState(TypedState):
    layers: StateMap[int, Bind[NamedLinearState, "din=d dout=4*d"]]


class Named(nnx.Module):
    def __init__(self, leaves: int, d: int) -> None:
        rngs = nnx.Rngs(0)
        kernel = nnx.with_partitioning(nnx.initializers.ones_init(), ("data", "model"))
        bias = nnx.with_partitioning(nnx.initializers.zeros_init(), ("model",))

        def linear() -> nnx.Linear:
            return nnx.Linear(d, 4 * d, kernel_init=kernel, bias_init=bias, rngs=rngs)

        self.layers = list_of([linear() for _ in range(leaves // 2)])


def named_state(leaves: int, d: int = 4) -> Any:
    """A state whose leaves lie on a mesh as their metadata say."""
    mesh = jax.make_mesh((1, 1), ("data", "model"))
    with jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else mesh:
        state = nnx.state(Named(leaves, d))
        return jax.device_put(state, nnx.get_named_sharding(state, mesh))


# -- A third of the leaves are PRNG keys ------------------------------------------------------


class DropState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]
    stream: StreamState


class DropsState(TypedState):
    blocks: StateMap[int, Bind[DropState, "d"]]


class Drop(nnx.Module):
    def __init__(self, d: int, rngs: nnx.Rngs) -> None:
        self.scale = nnx.Param(jnp.ones(d))
        self.stream = nnx.Rngs(default=rngs()).default


class Drops(nnx.Module):
    def __init__(self, leaves: int) -> None:
        rngs = nnx.Rngs(0)
        self.blocks = list_of([Drop(4, rngs) for _ in range(leaves // 3)])


# -- A decoder-only transformer, trained with adamw -------------------------------------------


class Trained(nnx.Module):
    def __init__(self, depth: int) -> None:
        self.model = Decoder(depth)
        self.optimizer = nnx.Optimizer(self.model, optax.adamw(1e-3), wrt=nnx.Param)


class TrainedState(TypedState):
    model: DecoderState
    optimizer: OptimizerState[AdamState[DecoderState]]
