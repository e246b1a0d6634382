"""What `infer` says of bonsai adamw of ViT."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, Entries, Only, StateMap, TypedState
from typedstate.layers import (
    AdamState,
    ConvState,
    LayerNormState,
    LinearState,
    MultiHeadAttentionState,
    OptimizerState,
)


class EmbeddingsState(TypedState):
    projection: Bind[ConvState, "din=cin dout=d"]
    cls_token: nnx.Param[Float[Array, "1 1 d"]]
    pos_embeddings: nnx.Param[Float[Array, "1 positions d"]]


class TransformerEncoderState(TypedState):
    attention: Bind[MultiHeadAttentionState, "din=d heads head_dim dkv=d kv_heads=heads dout=d"]
    linear1: Bind[LinearState, "din=d dout=hidden"]
    linear2: Bind[LinearState, "din=hidden dout=d"]
    layernorm_before: Bind[LayerNormState, "features=d"]
    layernorm_after: Bind[LayerNormState, "features=d"]


class ViTClassificationModelState(TypedState):
    pos_embeddings: Bind[EmbeddingsState, "cin d"]
    layers: Bind[
        StateMap[int, Bind[TransformerEncoderState, "d heads head_dim hidden"]],
        "len=layers",
    ]
    ln: Bind[LayerNormState, "features=d"]
    classifier: Bind[LinearState, "din=d dout=classes"]


ModelOptimizerState = OptimizerState[
    Entries[None, AdamState[Only[ViTClassificationModelState, nnx.Param]]]
]
