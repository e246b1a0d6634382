"""A package of a user's: a model, its schema, and what goes wrong; transcripts call it ``shop``."""

from __future__ import annotations

from typing import Annotated, Any

from beartype.vale import Is
from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, TypedState


class DenseState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class ModelState(TypedState):
    up: Bind[DenseState, "din=d dout=hidden"]
    down: Bind[DenseState, "din=hidden dout=d"]


class Wider(DenseState):
    more: nnx.Param | None


class Checked(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d"]], Is[lambda array: array.ndim == 1]]


class Model(nnx.Module):
    def __init__(self, d: int, hidden: int, *, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(d, hidden, rngs=rngs)
        self.down = nnx.Linear(hidden, d, use_bias=False, rngs=rngs)


def make(d: int = 2, hidden: int = 3) -> Model:
    return Model(d, hidden, rngs=nnx.Rngs(0))


def broken() -> Model:
    raise RuntimeError("no such file: weights")


number: Any = 3
