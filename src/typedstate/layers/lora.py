"""Low-rank adaption. Source: ``flax/nnx/nn/lora.py``."""

from typing import Generic, TypeVar

from flax import nnx
from jaxtyping import Array, Float

from ..forms import Bind
from ..schema.typed_state import TypedState
from .linear import LinearState

M = TypeVar("M")


class LoRAState(TypedState):
    """The state of ``nnx.LoRA`` without a base module.

    Dims: din (``in_features``), rank (``lora_rank``), dout (``out_features``).
    """

    lora_a: nnx.LoRAParam[Float[Array, "din rank"]]
    lora_b: nnx.LoRAParam[Float[Array, "rank dout"]]


class LoRAWithBaseState(LoRAState, Generic[M]):
    """The state of ``nnx.LoRA`` around a base module with state M.

    Dims: din (``in_features``), rank (``lora_rank``), dout (``out_features``).
    """

    base_module: M


class LoRALinearState(LinearState):
    """The state of ``nnx.LoRALinear``.

    Dims: din (``in_features``), rank (``lora_rank``), dout (``out_features``).
    """

    lora: Bind[LoRAState, "din rank dout"]
