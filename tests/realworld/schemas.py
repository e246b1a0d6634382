"""Schemas written by hand for three of the public models, from their papers and configurations."""

from __future__ import annotations

from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import (
    EmbedState,
    LinearState,
    NormState,
    ScaleState,
    StreamState,
    UncachedAttentionState,
)
from typedstate import Bind, StateMap, TypedState


class Dropout(TypedState):
    rngs: StreamState | None


class Attention(UncachedAttentionState):
    rngs: StreamState | None


class Patches(TypedState):
    kernel: nnx.Param[Float[Array, "patch patch channels d"]]
    bias: nnx.Param[Float[Array, "d"]]


class VitEmbeddings(TypedState):
    projection: Bind[Patches, "d patch channels"]
    cls_token: nnx.Param[Float[Array, "1 1 d"]]
    pos_embeddings: nnx.Param[Float[Array, "1 patches+1 d"]]
    dropout: Dropout | None


class VitLayer(TypedState):
    attention: Bind[Attention, "d"]
    linear1: Bind[LinearState, "din=d dout=mlp"]
    linear2: Bind[LinearState, "din=mlp dout=d"]
    layernorm_before: Bind[NormState, "d"]
    layernorm_after: Bind[NormState, "d"]
    dropout: Dropout | None


class Vit(TypedState):
    pos_embeddings: Bind[VitEmbeddings, "d"]
    layers: Bind[StateMap[int, Bind[VitLayer, "d mlp"]], "len=depth"]
    ln: Bind[NormState, "d"]
    classifier: Bind[LinearState, "din=d dout=labels"]


class Projection(TypedState):
    kernel: nnx.Param[Float[Array, "a b c"]]


class QwenAttention(TypedState):
    q_proj: Bind[Projection, "a=d b=heads c=hd"]
    k_proj: Bind[Projection, "a=d b=kv c=hd"]
    v_proj: Bind[Projection, "a=d b=kv c=hd"]
    o_proj: Bind[Projection, "a=heads b=hd c=d"]
    q_norm: Bind[ScaleState, "d=hd"]
    k_norm: Bind[ScaleState, "d=hd"]


class QwenMlp(TypedState):
    gate_proj: Bind[LinearState, "din=d dout=mlp"]
    up_proj: Bind[LinearState, "din=d dout=mlp"]
    down_proj: Bind[LinearState, "din=mlp dout=d"]


class QwenLayer(TypedState):
    attn: Bind[QwenAttention, "d heads kv hd"]
    mlp: Bind[QwenMlp, "d mlp"]
    input_layernorm: Bind[ScaleState, "d"]
    post_attention_layernorm: Bind[ScaleState, "d"]


class Qwen3(TypedState):
    embedder: Bind[EmbedState, "vocab d"]
    layers: Bind[StateMap[int, Bind[QwenLayer, "d mlp heads kv hd"]], "len=depth"]
    final_norm: Bind[ScaleState, "d"]
    lm_head: Bind[LinearState, "din=d dout=vocab"]


class MambaNorm(TypedState):
    weight: nnx.Param[Float[Array, "d"]]


class MambaConv(TypedState):
    kernel: nnx.Param[Float[Array, "window 1 features"]]
    bias: nnx.Param[Float[Array, "features"]]


class DepthwiseConv(TypedState):
    conv: Bind[MambaConv, "window features"]


class Mixer(TypedState):
    in_proj: Bind[LinearState, "din=d dout=2*(inner+state)+heads"]
    conv1d: Bind[DepthwiseConv, "features=inner+2*state window"]
    norm: Bind[MambaNorm, "d=inner"]
    out_proj: Bind[LinearState, "din=inner dout=d"]
    A_log: nnx.Param[Float[Array, "heads"]]
    D: nnx.Param[Float[Array, "heads"]]
    dt_bias: nnx.Param[Float[Array, "heads"]]


class MambaBlock(TypedState):
    mixer: Bind[Mixer, "d inner state heads window"]
    norm: Bind[MambaNorm, "d"]


class MambaBackbone(TypedState):
    embedder: Bind[EmbedState, "vocab d"]
    layers: Bind[StateMap[int, Bind[MambaBlock, "d inner=2*d state heads window"]], "len=depth"]
    final_norm: Bind[MambaNorm, "d"]


class Mamba2(TypedState):
    backbone: MambaBackbone


#: By the model's name.
BY_HAND = {
    "bonsai ViT": Vit,
    "bonsai Qwen3": Qwen3,
    "bonsai Qwen3 sharded": Qwen3,
    "bonsai Mamba2": Mamba2,
}
