"""Activations with parameters. Source: ``flax/nnx/nn/activations.py``."""

from flax import nnx
from jaxtyping import Array, Float

from ..schema.typed_state import TypedState


class PReLUState(TypedState):
    """The state of ``nnx.PReLU``."""

    negative_slope: nnx.Param[Float[Array, ""]]
