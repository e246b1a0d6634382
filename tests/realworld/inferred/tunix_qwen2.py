"""What `infer` says of tunix qwen2."""

from typing import Annotated

from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState


class EmbedderState(TypedState):
    input_embedding: Annotated[nnx.Param[Float[Array, "vocab d"]], P("tp", "fsdp")]


class RMSNormState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "d"]], P("tp")]


class SplitHeadsState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "d heads head_dim"]], P("fsdp", "tp")]


class MergeHeadsState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "heads head_dim d"]], P("tp", None, "fsdp")]


class AttentionState(TypedState):
    q_proj: Bind[SplitHeadsState, "d heads head_dim"]
    k_proj: Bind[SplitHeadsState, "d heads=kv_heads head_dim"]
    v_proj: Bind[SplitHeadsState, "d heads=kv_heads head_dim"]
    o_proj: Bind[MergeHeadsState, "heads head_dim d"]
    q_bias: Annotated[nnx.Param[Float[Array, "heads*head_dim"]], P("tp")]
    k_bias: Annotated[nnx.Param[Float[Array, "kv_heads*head_dim"]], P("tp")]
    v_bias: Annotated[nnx.Param[Float[Array, "kv_heads*head_dim"]], P("tp")]


class ShardedLinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("fsdp", "tp")]


class DownProjLinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("tp", "fsdp")]


class MLPState(TypedState):
    gate_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    up_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    down_proj: Bind[DownProjLinearState, "din=hidden dout=d"]


class DecoderLayerState(TypedState):
    input_layernorm: Bind[RMSNormState, "d"]
    attn: Bind[AttentionState, "d heads head_dim kv_heads"]
    post_attention_layernorm: Bind[RMSNormState, "d"]
    mlp: Bind[MLPState, "d hidden"]


class EinsumState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "din dout"]], P("fsdp", "tp")]


class Qwen2State(TypedState):
    embedder: Bind[EmbedderState, "vocab d"]
    layers: Bind[
        StateMap[int, Bind[DecoderLayerState, "d heads head_dim kv_heads hidden"]],
        "len=layers",
    ]
    final_norm: Bind[RMSNormState, "d"]
    lm_head: Bind[EinsumState, "din=d dout=vocab"]
