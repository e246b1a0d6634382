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


class LayerState(TypedState):
    attention: Bind[MultiHeadAttentionState, "din=d heads head_dim dkv=d kv_heads=heads dout=d"]
    layernorm_after: Bind[LayerNormState, "features=d"]
    layernorm_before: Bind[LayerNormState, "features=d"]
    linear1: Bind[LinearState, "din=d dout=hidden"]
    linear2: Bind[LinearState, "din=hidden dout=d"]


class PosEmbeddingsState(TypedState):
    cls_token: nnx.Param[Float[Array, "1 1 d"]]
    pos_embeddings: nnx.Param[Float[Array, "1 positions d"]]
    projection: Bind[ConvState, "din=cin dout=d"]


class ModelState(TypedState):
    classifier: Bind[LinearState, "din=d dout=classes"]
    layers: Bind[StateMap[int, Bind[LayerState, "d heads head_dim hidden"]], "len=layers"]
    ln: Bind[LayerNormState, "features=d"]
    pos_embeddings: Bind[PosEmbeddingsState, "d cin"]


ModelOptimizerState = OptimizerState[Entries[None, AdamState[Only[ModelState, nnx.Param]]]]
