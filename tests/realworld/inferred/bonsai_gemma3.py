"""What `infer` says of bonsai Gemma3."""

from flax import nnx
from jaxtyping import Array, Float, Int32

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import ConvState, EmbedState, LayerNormState, LinearState


class Gemma3TextScaledWordEmbeddingState(TypedState):
    weight: Bind[EmbedState, "vocab features=d"]
    embed_scale: Float[Array, ""]


class SiglipVisionEmbeddingsState(TypedState):
    patch_embedding: Bind[ConvState, "dout=d"]
    position_embedding: Bind[EmbedState, "vocab=positions features=d"]
    position_ids: Int32[Array, "1 positions"]


class SiglipAttentionState(TypedState):
    k_proj: Bind[LinearState, "din=d dout=d"]
    v_proj: Bind[LinearState, "din=d dout=d"]
    q_proj: Bind[LinearState, "din=d dout=d"]
    out_proj: Bind[LinearState, "din=d dout=d"]


class SiglipMLPState(TypedState):
    fc1: Bind[LinearState, "din=d dout=hidden"]
    fc2: Bind[LinearState, "din=hidden dout=d"]


class SiglipEncoderLayerState(TypedState):
    layer_norm1: Bind[LayerNormState, "features=d"]
    layer_norm2: Bind[LayerNormState, "features=d"]
    self_attn: Bind[SiglipAttentionState, "d"]
    mlp: Bind[SiglipMLPState, "d hidden"]


class SiglipEncoderState(TypedState):
    layers: Bind[StateMap[int, Bind[SiglipEncoderLayerState, "d hidden"]], "len=layers"]


class SiglipVisionTransformerState(TypedState):
    embeddings: Bind[SiglipVisionEmbeddingsState, "d"]
    encoder: Bind[SiglipEncoderState, "d"]
    post_layernorm: Bind[LayerNormState, "features=d"]


class Gemma3RMSNormState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]


class Gemma3MultiModalProjectorState(TypedState):
    mm_input_projection_weight: nnx.Param[Float[Array, "d dout"]]
    mm_soft_emb_norm: Bind[Gemma3RMSNormState, "d"]


class Gemma3AttentionState(TypedState):
    q_proj: Bind[LinearState, "din=d dout=inner"]
    k_proj: Bind[LinearState, "din=d dout=kv_inner"]
    v_proj: Bind[LinearState, "din=d dout=kv_inner"]
    o_proj: Bind[LinearState, "din=inner dout=d"]
    q_norm: Bind[Gemma3RMSNormState, "d=head_dim"]
    k_norm: Bind[Gemma3RMSNormState, "d=head_dim"]


class Gemma3MLPState(TypedState):
    gate_proj: Bind[LinearState, "din=d dout=hidden"]
    up_proj: Bind[LinearState, "din=d dout=hidden"]
    down_proj: Bind[LinearState, "din=hidden dout=d"]


class Gemma3DecoderLayerState(TypedState):
    self_attn: Bind[Gemma3AttentionState, "d inner kv_inner head_dim"]
    mlp: Bind[Gemma3MLPState, "d hidden"]
    input_layernorm: Bind[Gemma3RMSNormState, "d"]
    post_attention_layernorm: Bind[Gemma3RMSNormState, "d"]
    pre_feedforward_layernorm: Bind[Gemma3RMSNormState, "d"]
    post_feedforward_layernorm: Bind[Gemma3RMSNormState, "d"]


class Gemma3TextModelState(TypedState):
    layers: Bind[
        StateMap[int, Bind[Gemma3DecoderLayerState, "d inner kv_inner head_dim hidden"]],
        "len=layers",
    ]
    norm: Bind[Gemma3RMSNormState, "d"]


class Gemma3ModelState(TypedState):
    embed_tokens: Bind[Gemma3TextScaledWordEmbeddingState, "vocab d"]
    vision_tower: Bind[SiglipVisionTransformerState, "d=vision_tower_d"]
    multi_modal_projector: Bind[Gemma3MultiModalProjectorState, "d=vision_tower_d dout=d"]
    language_model: Bind[Gemma3TextModelState, "d"]
