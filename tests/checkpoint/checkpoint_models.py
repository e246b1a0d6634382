"""A small model with everything that formats forget: a list, RNG streams, statistics, kinds."""

from __future__ import annotations

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import BatchNormState, DropoutState


class DenseState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class NetState(TypedState):
    layers: StateMap[int, Bind[DenseState, "din=d dout=d"]]
    norm: Bind[BatchNormState, "features=d"]
    drop: DropoutState
    head: Bind[DenseState, "din=d dout=classes"]


class Net(nnx.Module):
    def __init__(self, *, d: int = 8, classes: int = 4, layers: int = 2, seed: int = 0) -> None:
        rngs = nnx.Rngs(seed)
        self.layers = list_of([nnx.Linear(d, d, rngs=rngs) for _ in range(layers)])
        self.norm = nnx.BatchNorm(d, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)
        self.head = nnx.Linear(d, classes, rngs=rngs)


def list_of(modules: list[nnx.Module]) -> list[nnx.Module]:
    """``nnx.List`` where Flax has it: older ones take a plain list."""
    made: list[nnx.Module] = getattr(nnx, "List", list)(modules)
    return made
