"""What `infer` says of tunix gemma."""

from typing import Annotated

from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState


class EmbedderState(TypedState):
    input_embedding: Annotated[nnx.Param[Float[Array, "vocab d"]], P("tp", "fsdp")]


class RMSNormState(TypedState):
    scale: Annotated[nnx.Param[Float[Array, "d"]], P("tp")]


class MergeHeadsState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "heads head_dim d"]], P("tp", None, "fsdp")]


class SplitHeadsState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "heads d head_dim"]], P("tp", "fsdp")]


class EinsumState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "2 heads d head_dim"]], P(None, "tp", "fsdp")]


class AttentionState(TypedState):
    attn_vec_einsum: Bind[MergeHeadsState, "heads head_dim d"]
    q_einsum: Bind[SplitHeadsState, "heads d head_dim"]
    kv_einsum: Bind[EinsumState, "heads=kv_heads d head_dim"]


class ShardedLinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("fsdp", "tp")]


class DownProjLinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("tp", "fsdp")]


class FeedForwardState(TypedState):
    gate_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    up_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    down_proj: Bind[DownProjLinearState, "din=hidden dout=d"]


class DecoderLayerState(TypedState):
    pre_attention_norm: Bind[RMSNormState, "d"]
    attn: Bind[AttentionState, "heads head_dim d kv_heads"]
    post_attn_norm: Bind[RMSNormState, "d"]
    pre_ffw_norm: Bind[RMSNormState, "d"]
    mlp: Bind[FeedForwardState, "d hidden"]
    post_ffw_norm: Bind[RMSNormState, "d"]


class GemmaState(TypedState):
    embedder: Bind[EmbedderState, "vocab d"]
    layers: Bind[
        StateMap[int, Bind[DecoderLayerState, "d heads head_dim kv_heads hidden"]],
        "len=layers",
    ]
    final_norm: Bind[RMSNormState, "d"]
