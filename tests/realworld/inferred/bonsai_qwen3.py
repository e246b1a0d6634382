"""What `infer` says of bonsai Qwen3."""

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import (
    EmbedState,
    LinearState,
    MergeHeadsState,
    RMSNormState,
    SplitHeadsState,
)


class AttentionState(TypedState):
    q_proj: Bind[SplitHeadsState, "din=d heads head_dim"]
    k_proj: Bind[SplitHeadsState, "din=d heads=kv_heads head_dim"]
    v_proj: Bind[SplitHeadsState, "din=d heads=kv_heads head_dim"]
    o_proj: Bind[MergeHeadsState, "heads head_dim dout=d"]
    q_norm: Bind[RMSNormState, "features=head_dim"]
    k_norm: Bind[RMSNormState, "features=head_dim"]


class MLPState(TypedState):
    gate_proj: Bind[LinearState, "din=d dout=hidden"]
    up_proj: Bind[LinearState, "din=d dout=hidden"]
    down_proj: Bind[LinearState, "din=hidden dout=d"]


class DecoderLayerState(TypedState):
    input_layernorm: Bind[RMSNormState, "features=d"]
    attn: Bind[AttentionState, "d heads head_dim kv_heads"]
    post_attention_layernorm: Bind[RMSNormState, "features=d"]
    mlp: Bind[MLPState, "d hidden"]


class Qwen3State(TypedState):
    embedder: Bind[EmbedState, "vocab features=d"]
    layers: Bind[
        StateMap[int, Bind[DecoderLayerState, "d heads head_dim kv_heads hidden"]],
        "len=layers",
    ]
    final_norm: Bind[RMSNormState, "features=d"]
    lm_head: Bind[LinearState, "din=d dout=vocab"]
