"""What `infer` says of bonsai LLaDA."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import EmbedState


class RMSNormState(TypedState):
    weight: nnx.Param[Float[Array, "d"]]


class ShardedLinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class LLaDALlamaBlockState(TypedState):
    attn_norm: Bind[RMSNormState, "d"]
    ff_norm: Bind[RMSNormState, "d"]
    q_proj: Bind[ShardedLinearState, "din=d dout=d"]
    k_proj: Bind[ShardedLinearState, "din=d dout=d"]
    v_proj: Bind[ShardedLinearState, "din=d dout=d"]
    attn_out: Bind[ShardedLinearState, "din=d dout=d"]
    ff_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    up_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    ff_out: Bind[ShardedLinearState, "din=hidden dout=d"]


class LLaDAModelState(TypedState):
    wte: Bind[EmbedState, "vocab features=d"]
    ln_f: Bind[RMSNormState, "d"]
    blocks: Bind[StateMap[int, Bind[LLaDALlamaBlockState, "d hidden"]], "len=layers"]
    ff_out: Bind[ShardedLinearState, "din=d dout=vocab"]
