"""The model whose state the static tests look at, and its schemas."""

from typing import Annotated, Any, Generic, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Key, UInt32

from typedstate import Alias, Bind, Entries, StateMap, TypedState

A = TypeVar("A")
T = TypeVar("T")


class LinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P(None, None)]
    bias: nnx.Param[Float[Array, "dout"]] | None


class NormState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]
    mean: nnx.BatchStat[Float[Array, "d"]]


class StreamState(TypedState):
    key: Annotated[nnx.RngKey, Key[Array, ""]]
    count: Annotated[nnx.RngCount, UInt32[Array, ""]]


class BlockState(TypedState):
    up: Bind[LinearState, "din=d dout=hidden"]
    down: Bind[LinearState, "din=hidden dout=d"]
    norm: Bind[NormState, "d"]
    dropout: StreamState


class ModelState(TypedState):
    blocks: Bind[StateMap[int, Bind[BlockState, "d"]], "len=layers"]
    heads: StateMap[str, Bind[LinearState, "din=d dout=vocab"]]
    stem: Entries[LinearState, None, NormState]
    values_: Annotated[nnx.Param[Float[Array, "d"]], Alias("values")]
    temperature: Float[Array, ""]


class Pair(TypedState, Generic[A]):
    first: A
    second: A


class Twins(Pair[LinearState]):
    gate: nnx.Param[Float[Array, ""]]


class OpenState(TypedState, extra="allow"):
    gate: nnx.Param[Float[Array, ""]]


class Numbered(TypedState, extra={"layers_{}": LinearState}):
    gate: nnx.Param[Float[Array, ""]]


class Counted(TypedState, extra={"layers_{len=n}": LinearState}):
    gate: nnx.Param[Float[Array, ""]]


class Stats(nnx.Module):
    def __init__(self, d: int) -> None:
        self.scale = nnx.Param(jnp.ones(d))
        self.mean = nnx.BatchStat(jnp.zeros(d))


class Block(nnx.Module):
    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(d, hidden, rngs=rngs)
        self.down = nnx.Linear(hidden, d, rngs=rngs)
        self.norm = Stats(d)
        self.dropout = rngs["dropout"].fork()


class Model(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.blocks = nnx.List([Block(2, 3, rngs) for _ in range(2)])
        self.heads = nnx.Dict(a=nnx.Linear(2, 5, rngs=rngs), b=nnx.Linear(2, 5, rngs=rngs))
        self.stem = nnx.List([nnx.Linear(7, 2, rngs=rngs), jax.nn.relu, Stats(2)])
        self.values = nnx.Param(jnp.ones(2))
        self.temperature = nnx.data(jnp.ones(()))


def model() -> Model:
    return Model(nnx.Rngs(0, dropout=1))


def model_state() -> ModelState:
    return ModelState.of(model())


def linear_state() -> LinearState:
    return LinearState.of(nnx.Linear(2, 3, rngs=nnx.Rngs(0)))


def plain_state() -> nnx.State[Any, Any]:
    return nnx.state(model())


def seen(value: T, runtime_class: type[Any]) -> T:
    """Asserts that a value is of the class that its static type promises."""
    assert isinstance(value, runtime_class), f"{type(value)} is no {runtime_class}"
    return value
