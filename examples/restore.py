"""From a checkpoint to a typed state, whatever has changed in between.

Trains a little and saves, changes the model, reads what differs before a weight is read, migrates
to the scanned twin, restores on eight virtual devices, and loads a foreign file through a mapping.
Run it: ``python examples/restore.py``.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

import tempfile
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float
from safetensors.numpy import save_file

from typedstate import Bind, Stacked, StateMap, StateTypeError, TypedState
from typedstate.checkpoint import Rule, Weights, inspect, restore, save, verify


class DenseState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class ModelState(TypedState):
    layers: Bind[StateMap[int, Bind[DenseState, "din=d dout=d"]], "len=depth"]
    head: Bind[DenseState, "din=d dout=classes"]


class NextState(ModelState):
    """The same model with a gate that no checkpoint has yet."""

    gate: Bind[DenseState, "din=d dout=classes"]


class ScannedState(TypedState):
    layers: Bind[Stacked[DenseState, "depth"], "din=d dout=d"]
    head: Bind[DenseState, "din=d dout=classes"]


class ShardedDenseState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("data", "model")]
    bias: nnx.Param[Float[Array, "dout"]]


class ShardedState(TypedState):
    layers: StateMap[int, Bind[ShardedDenseState, "din=d dout=d"]]
    head: Bind[ShardedDenseState, "din=d dout=classes"]


def dense(key: Array, din: int, dout: int) -> dict[str, nnx.Param[Array]]:
    return {
        "kernel": nnx.Param(jax.random.normal(key, (din, dout)) / din),
        "bias": nnx.Param(jnp.zeros(dout)),
    }


def fresh(depth: int = 3, d: int = 16, classes: int = 8) -> ModelState:
    keys = jax.random.split(jax.random.key(0), depth + 1)
    layers = {index: dense(keys[index], d, d) for index in range(depth)}
    return ModelState({"layers": layers, "head": dense(keys[-1], d, classes)})


def predict(state: ModelState, x: Array) -> Array:
    for layer in state.layers.values():
        x = jax.nn.relu(x @ layer["kernel"][...] + layer["bias"][...])
    return x @ state.head.kernel[...] + state.head.bias[...]


def train(state: ModelState, steps: int = 20) -> ModelState:
    x = jax.random.normal(jax.random.key(1), (64, 16))
    y = jnp.sin(x[:, :8])

    def loss(state: ModelState) -> Array:
        return jnp.mean((predict(state, x) - y) ** 2)

    for _ in range(steps):
        grads = jax.grad(loss)(state)
        state = jax.tree.map(lambda p, g: p - 0.1 * g, state, grads)
    return state


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    state = train(fresh())
    save(folder / "model", state, ModelState)
    print(str(inspect(folder / "model")).replace(str(folder), ""))

    print("\n-- the model has changed")
    print(verify(folder / "model", NextState))
    try:
        restore(folder / "model", NextState)
    except StateTypeError as error:
        print(str(error).splitlines()[0].replace(str(folder), ""))
    gate = {"gate": dense(jax.random.key(2), 16, 8)}
    grown = restore(folder / "model", NextState, allow=["missing"], fill=nnx.State(gate))
    print(str(grown).replace(str(folder), ""))

    print("\n-- the scanned twin")
    print(verify(folder / "model", ScannedState).cause)
    scanned = restore(folder / "model", ScannedState, migrate=True).state
    print("layers.kernel:", scanned.layers.kernel[...].shape)

    print("\n-- on eight devices")
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "model"))
    placed = restore(folder / "model", ShardedState, mesh=mesh).state
    print("head.kernel:", placed.head.kernel[...].sharding.spec)

    print("\n-- a foreign file")
    tensors = {}
    for index in range(3):
        tensors[f"net.{index}.weight"] = np.full((16, 16), float(index), np.float32)
        tensors[f"net.{index}.bias"] = np.zeros(16, np.float32)
    tensors |= {"out.weight": np.ones((8, 16), np.float32), "out.bias": np.ones(8, np.float32)}
    save_file(tensors, folder / "foreign.safetensors")
    rules = (
        Rule("net.{i}.weight", "layers[{i}].kernel", transpose=True),
        Rule("net.{i}.bias", "layers[{i}].bias"),
        Rule("out.bias", "head.bias"),
    )
    forgotten = Weights(ModelState, *rules, Rule("out.weight", "head.kernel"))
    print(str(forgotten.prove(folder / "foreign.safetensors")).replace(str(folder), ""))
    weights = Weights(ModelState, *rules, Rule("out.weight", "head.kernel", transpose=True))
    loaded = weights.load(folder / "foreign.safetensors")
    print("layers[2].kernel:", float(loaded.layers[2].kernel[0, 0]))


if __name__ == "__main__":
    main()
