"""What `infer` says of bonsai DINOv3."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import ConvState, LayerNormState, LinearState


class DINOv3ViTEmbeddingsState(TypedState):
    cls_token: nnx.Param[Float[Array, "1 1 d"]]
    mask_token: nnx.Param[Float[Array, "1 1 d"]]
    register_tokens: nnx.Param[Float[Array, "1 tokens d"]]
    patch_embeddings: Bind[ConvState, "dout=d"]


class Dinov3ViTAttentionState(TypedState):
    q_proj: Bind[LinearState, "din=d dout=d"]
    k_proj: Bind[LinearState, "din=d dout=d"]
    v_proj: Bind[LinearState, "din=d dout=d"]
    o_proj: Bind[LinearState, "din=d dout=d"]


class Dinov3LayerScaleState(TypedState):
    lambda1: nnx.Param[Float[Array, "d"]]


class Dinov3MLPState(TypedState):
    up_proj: Bind[LinearState, "din=d dout=hidden"]
    down_proj: Bind[LinearState, "din=hidden dout=d"]


class Dinov3ViTLayerState(TypedState):
    norm1: Bind[LayerNormState, "features=d"]
    attention: Bind[Dinov3ViTAttentionState, "d"]
    layer_scale1: Bind[Dinov3LayerScaleState, "d"]
    norm2: Bind[LayerNormState, "features=d"]
    mlp: Bind[Dinov3MLPState, "d hidden"]
    layer_scale2: Bind[Dinov3LayerScaleState, "d"]


class Dinov3ViTModelState(TypedState):
    embeddings: Bind[DINOv3ViTEmbeddingsState, "d"]
    layer: Bind[StateMap[int, Bind[Dinov3ViTLayerState, "d hidden"]], "len=layers"]
    norm: Bind[LayerNormState, "features=d"]
