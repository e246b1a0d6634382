"""What `infer` says of bonsai Whisper."""

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import (
    ConvState,
    EmbedState,
    LayerNormState,
    LinearState,
    MultiHeadAttentionState,
)


class WhisperEncoderLayerState(TypedState):
    self_attn: Bind[MultiHeadAttentionState, "din=d heads head_dim dkv=d kv_heads=heads dout=d"]
    self_attn_layer_norm: Bind[LayerNormState, "features=d"]
    fc1: Bind[LinearState, "din=d dout=hidden"]
    fc2: Bind[LinearState, "din=hidden dout=d"]
    final_layer_norm: Bind[LayerNormState, "features=d"]


class WhisperEncoderState(TypedState):
    conv1: Bind[ConvState, "din=cin dout=d"]
    conv2: Bind[ConvState, "din=d dout=d"]
    embed_positions: Bind[EmbedState, "features=d"]
    layers: Bind[
        StateMap[int, Bind[WhisperEncoderLayerState, "d heads head_dim hidden"]],
        "len=layers",
    ]
    layer_norm: Bind[LayerNormState, "features=d"]


class WhisperDecoderLayerState(TypedState):
    self_attn: Bind[MultiHeadAttentionState, "din=d heads head_dim dkv=d kv_heads=heads dout=d"]
    self_attn_layer_norm: Bind[LayerNormState, "features=d"]
    encoder_attn: Bind[MultiHeadAttentionState, "din=d heads head_dim dkv=d kv_heads=heads dout=d"]
    encoder_attn_layer_norm: Bind[LayerNormState, "features=d"]
    fc1: Bind[LinearState, "din=d dout=hidden"]
    fc2: Bind[LinearState, "din=hidden dout=d"]
    final_layer_norm: Bind[LayerNormState, "features=d"]


class WhisperDecoderState(TypedState):
    embed_tokens: Bind[EmbedState, "vocab features=d"]
    embed_positions: Bind[EmbedState, "features=d"]
    layers: Bind[
        StateMap[int, Bind[WhisperDecoderLayerState, "d heads head_dim hidden"]],
        "len=layers",
    ]
    layer_norm: Bind[LayerNormState, "features=d"]


class WhisperState(TypedState):
    encoder: Bind[WhisperEncoderState, "cin d"]
    decoder: Bind[WhisperDecoderState, "vocab d"]
