"""Random streams and dropout. Sources: ``flax/nnx/rnglib.py``, ``flax/nnx/nn/stochastic.py``."""

from typing import Annotated, TypeAlias

from flax import nnx
from jaxtyping import Array, Key, UInt32

from ..forms import StateMap
from ..schema.typed_state import TypedState


class RngStreamState(TypedState):
    """The state of ``nnx.RngStream``; a split stream is ``Stacked[RngStreamState, "n"]``."""

    key: Annotated[nnx.RngKey, Key[Array, ""]]
    count: Annotated[nnx.RngCount, UInt32[Array, ""]]


RngsState: TypeAlias = StateMap[str, RngStreamState]
"""The state of ``nnx.Rngs``: one stream under each name."""


class DropoutState(TypedState):
    """The state of ``nnx.Dropout``: its stream, on Flax 0.10 all streams, nothing without rngs."""

    rngs: RngStreamState | RngsState | None
