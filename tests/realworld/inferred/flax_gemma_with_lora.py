"""What `infer` says of flax gemma with LoRA."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import EmbedState, LinearState, LoRALinearState, MergeHeadsState


class RMSNormState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]


class SplitHeadsState(TypedState):
    kernel: nnx.Param[Float[Array, "heads d head_dim"]]


class EinsumState(TypedState):
    kernel: nnx.Param[Float[Array, "2 heads d head_dim"]]


class AttentionState(TypedState):
    attn_vec_einsum: Bind[MergeHeadsState, "heads head_dim dout=d"]
    q_einsum: Bind[SplitHeadsState, "heads d head_dim"]
    kv_einsum: Bind[EinsumState, "heads=kv_heads d head_dim"]
    _query_norm: Bind[RMSNormState, "d=head_dim"]
    _key_norm: Bind[RMSNormState, "d=head_dim"]


class FeedForwardState(TypedState):
    gate_proj: Bind[LoRALinearState, "din=d dout=hidden rank"]
    up_proj: Bind[LinearState, "din=d dout=hidden"]
    down_proj: Bind[LinearState, "din=hidden dout=d"]


class BlockState(TypedState):
    pre_attention_norm: Bind[RMSNormState, "d"]
    attn: Bind[AttentionState, "heads head_dim d kv_heads"]
    post_attention_norm: Bind[RMSNormState, "d"]
    pre_ffw_norm: Bind[RMSNormState, "d"]
    mlp: Bind[FeedForwardState, "d hidden rank"]
    post_ffw_norm: Bind[RMSNormState, "d"]


class TransformerState(TypedState):
    embedder: Bind[EmbedState, "vocab features=d"]
    layers: Bind[
        StateMap[int, Bind[BlockState, "d heads head_dim kv_heads hidden rank"]],
        "len=layers",
    ]
    final_norm: Bind[RMSNormState, "d"]
