"""What `infer` says of bonsai V-JEPA 2."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import ConvState, LayerNormState, LinearState


class VJEPA2PatchEmbeddings3DState(TypedState):
    proj: Bind[ConvState, "din=cin dout=d"]


class VJEPA2EmbeddingsState(TypedState):
    patch_embeddings: Bind[VJEPA2PatchEmbeddings3DState, "cin d"]


class VJEPA2RopeAttentionState(TypedState):
    query: Bind[LinearState, "din=d dout=d"]
    key: Bind[LinearState, "din=d dout=d"]
    value: Bind[LinearState, "din=d dout=d"]
    proj: Bind[LinearState, "din=d dout=d"]


class VJEPA2MLPState(TypedState):
    fc1: Bind[LinearState, "din=d dout=hidden"]
    fc2: Bind[LinearState, "din=hidden dout=d"]


class VJEPA2LayerState(TypedState):
    norm1: Bind[LayerNormState, "features=d"]
    attention: Bind[VJEPA2RopeAttentionState, "d"]
    norm2: Bind[LayerNormState, "features=d"]
    mlp: Bind[VJEPA2MLPState, "d hidden"]


class VJEPA2EncoderState(TypedState):
    embeddings: Bind[VJEPA2EmbeddingsState, "cin d"]
    layer: Bind[StateMap[int, Bind[VJEPA2LayerState, "d hidden"]], "len=layers"]
    layernorm: Bind[LayerNormState, "features=d"]


class VJEPA2PredictorEmbeddingsState(TypedState):
    predictor_embeddings: Bind[LinearState, "din dout=d"]
    mask_tokens: nnx.Param[Float[Array, "tokens 1 1 d"]]


class VJEPA2PredictorState(TypedState):
    embeddings: Bind[VJEPA2PredictorEmbeddingsState, "din=embeddings_d d"]
    layer: Bind[StateMap[int, Bind[VJEPA2LayerState, "d hidden"]], "len=layers"]
    layernorm: Bind[LayerNormState, "features=d"]
    proj: Bind[LinearState, "din=d dout=embeddings_d"]


class VJEPA2ModelState(TypedState):
    encoder: Bind[VJEPA2EncoderState, "cin d"]
    predictor: Bind[VJEPA2PredictorState, "embeddings_d=d d=predictor_d"]


class VJEPA2PoolerCrossAttentionState(TypedState):
    q_proj: Bind[LinearState, "din=d dout=d"]
    k_proj: Bind[LinearState, "din=d dout=d"]
    v_proj: Bind[LinearState, "din=d dout=d"]


class VJEPA2PoolerCrossAttentionLayerState(TypedState):
    layer_norm1: Bind[LayerNormState, "features=d"]
    cross_attn: Bind[VJEPA2PoolerCrossAttentionState, "d"]
    layer_norm2: Bind[LayerNormState, "features=d"]
    mlp: Bind[VJEPA2MLPState, "d"]


class VJEPA2PoolerSelfAttentionState(TypedState):
    q_proj: Bind[LinearState, "din=d dout=d"]
    k_proj: Bind[LinearState, "din=d dout=d"]
    v_proj: Bind[LinearState, "din=d dout=d"]
    out_proj: Bind[LinearState, "din=d dout=d"]


class VJEPA2PoolerSelfAttentionLayerState(TypedState):
    layer_norm1: Bind[LayerNormState, "features=d"]
    self_attn: Bind[VJEPA2PoolerSelfAttentionState, "d"]
    layer_norm2: Bind[LayerNormState, "features=d"]
    mlp: Bind[VJEPA2MLPState, "d hidden"]


class VJEPA2AttentivePoolerState(TypedState):
    query_tokens: nnx.Param[Float[Array, "1 1 d"]]
    cross_attention_layer: Bind[VJEPA2PoolerCrossAttentionLayerState, "d"]
    self_attention_layers: Bind[
        StateMap[int, Bind[VJEPA2PoolerSelfAttentionLayerState, "d hidden"]],
        "len=layers",
    ]


class VJEPA2ForVideoClassificationState(TypedState):
    vjepa2: Bind[VJEPA2ModelState, "cin d predictor_d"]
    pooler: Bind[VJEPA2AttentivePoolerState, "d"]
    classifier: Bind[LinearState, "din=d dout=classes"]
