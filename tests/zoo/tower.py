"""A tower: blocks of two layers with a head, whose every width has a name."""

from __future__ import annotations

from flax import nnx

from tests.zoo import LinearState, Mlp, MlpState, list_of
from typedstate import Bind, StateMap, TypedState


class TowerState(TypedState):
    blocks: Bind[StateMap[int, Bind[MlpState, "d"]], "len=layers"]
    head: Bind[LinearState, "din=d dout=vocab"]


class Tower(nnx.Module):
    """A list of MLPs and a head."""

    def __init__(self, d: int, hidden: int, layers: int, vocab: int, rngs: nnx.Rngs) -> None:
        self.blocks = list_of([Mlp(d, hidden, rngs=rngs) for _ in range(layers)])
        self.head = nnx.Linear(d, vocab, rngs=rngs)
