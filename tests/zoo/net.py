"""A small model with everything that formats forget: a list, RNG streams, statistics, kinds."""

from __future__ import annotations

from flax import nnx

from tests.zoo import LinearState, list_of
from typedstate import Bind, StateMap, TypedState
from typedstate.layers import BatchNormState, DropoutState


class NetState(TypedState):
    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    norm: Bind[BatchNormState, "features=d"]
    drop: DropoutState
    head: Bind[LinearState, "din=d dout=classes"]


class Net(nnx.Module):
    """A list of layers, a batch norm, a dropout and a head."""

    def __init__(self, *, d: int = 8, classes: int = 4, layers: int = 2, seed: int = 0) -> None:
        rngs = nnx.Rngs(seed)
        self.layers = list_of([nnx.Linear(d, d, rngs=rngs) for _ in range(layers)])
        self.norm = nnx.BatchNorm(d, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)
        self.head = nnx.Linear(d, classes, rngs=rngs)
