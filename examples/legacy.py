"""The callback of Flax's FSDP example, typed: what are the leaves of a state?

The example maps over ``nnx.state(optimizer)``; its callback was annotated with one class, the
docstring of ``State`` promised others, and both were right on some Flax only
(https://github.com/google/flax/issues/4342). A schema says it once, and every boundary knows.

    python examples/legacy.py
"""

from __future__ import annotations

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from typedstate import Like, Shardings, StateTypeError, TypedState, check, checked

MESH = Mesh(np.array(jax.devices()).reshape(2, 4), ("data", "model"))


class Momentum(nnx.Variable[Array]):
    """What SGD remembers of a parameter."""


class MLPState(TypedState):
    w1: nnx.Param[Float[Array, "din dmid"]]
    b1: nnx.Param[Float[Array, "dmid"]]
    w2: nnx.Param[Float[Array, "dmid dout"]]


class SGDState(TypedState):
    params: MLPState
    momentum: Like[MLPState, Momentum]


NAMES = {"w1": (None, "model"), "b1": ("model",), "w2": ("model", None)}


def new_state() -> Any:
    """The state of the example's optimizer: parameters beside their momentum."""
    shapes = {"w1": (1, 32), "b1": (32,), "w2": (32, 1)}
    params = {key: nnx.Param(jnp.ones(shape)) for key, shape in shapes.items()}
    momentum = {key: Momentum(jnp.zeros(shape)) for key, shape in shapes.items()}
    return nnx.State({"params": params, "momentum": momentum})


# The callback as the docstring of State had it: "leaves are arrays".
@checked
def by_the_docstring(path: tuple[Any, ...], leaf: jax.Array) -> NamedSharding:
    return NamedSharding(MESH, P(*NAMES[path[-1]]))


# The callback as it is: a leaf is a Variable of one of two kinds, on every Flax.
@checked
def named_sharding(
    path: tuple[Any, ...],
    leaf: nnx.Param[Float[Array, "..."]] | Annotated[Momentum, Float[Array, "..."]],
) -> NamedSharding:
    return NamedSharding(MESH, P(*NAMES[path[-1]]))


@checked
def shardings_of(state: SGDState) -> Shardings[SGDState]:
    found = nnx.map_state(named_sharding, state)
    return check(found, Shardings[SGDState])


@checked
def constrain(state: SGDState, shardings: Shardings[SGDState]) -> SGDState:
    placed = {
        part: {
            key: leaf.replace(jax.device_put(leaf[...], shardings[part][key]))
            for key, leaf in state[part].items()
        }
        for part in ("params", "momentum")
    }
    return check(nnx.State(placed), SGDState)


def main() -> None:
    state = SGDState.of(new_state())
    try:
        nnx.map_state(by_the_docstring, state)
    except StateTypeError as error:
        print(f"as the docstring had it:\n{error}\n")
    placed = constrain(state, shardings_of(state))
    print("as it is:")
    for part in ("params", "momentum"):
        for key, leaf in placed[part].items():
            kind, spec = type(leaf).__name__, leaf[...].sharding.spec
            print(f"  {part}.{key}: {kind} {leaf[...].shape} at {spec}")


if __name__ == "__main__":
    main()
