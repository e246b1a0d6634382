"""What `infer` says of bonsai Qwen3 sharded."""

from typing import Annotated

from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import RMSNormState


class ShardedEmbedState(TypedState):
    embedding: Annotated[nnx.Param[Float[Array, "vocab features"]], P("tp", "fsdp")]


class ShardedRMSNormState(TypedState):
    scale: Annotated[nnx.Param[Float[Array, "features"]], P("tp")]


class ShardedSplitHeadsState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din heads head_dim"]], P("tp", "fsdp")]


class ShardedMergeHeadsState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "heads head_dim dout"]], P("tp", None, "fsdp")]


class AttentionState(TypedState):
    q_proj: Bind[ShardedSplitHeadsState, "din=d heads head_dim"]
    k_proj: Bind[ShardedSplitHeadsState, "din=d heads=kv_heads head_dim"]
    v_proj: Bind[ShardedSplitHeadsState, "din=d heads=kv_heads head_dim"]
    o_proj: Bind[ShardedMergeHeadsState, "heads head_dim dout=d"]
    q_norm: Bind[RMSNormState, "features=head_dim"]
    k_norm: Bind[RMSNormState, "features=head_dim"]


class ShardedLinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("fsdp", "tp")]


class DownProjLinearState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("tp", "fsdp")]


class MLPState(TypedState):
    gate_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    up_proj: Bind[ShardedLinearState, "din=d dout=hidden"]
    down_proj: Bind[DownProjLinearState, "din=hidden dout=d"]


class DecoderLayerState(TypedState):
    input_layernorm: Bind[ShardedRMSNormState, "features=d"]
    attn: Bind[AttentionState, "d heads head_dim kv_heads"]
    post_attention_layernorm: Bind[ShardedRMSNormState, "features=d"]
    mlp: Bind[MLPState, "d hidden"]


class Qwen3State(TypedState):
    embedder: Bind[ShardedEmbedState, "vocab features=d"]
    layers: Bind[
        StateMap[int, Bind[DecoderLayerState, "d heads head_dim kv_heads hidden"]],
        "len=layers",
    ]
    final_norm: Bind[ShardedRMSNormState, "features=d"]
    lm_head: Bind[ShardedLinearState, "din=d dout=vocab"]
