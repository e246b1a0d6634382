"""Schemas written by hand for three of the public models, from their papers and configurations."""

from __future__ import annotations

from typing import Annotated

from flax import nnx
from jaxtyping import Array, Float, Key, UInt32

from typedstate import Bind, StateMap, TypedState


class Linear(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class Norm(TypedState):
    scale: nnx.Param[Float[Array, "d"]]
    bias: nnx.Param[Float[Array, "d"]] | None


class Stream(TypedState):
    key: Annotated[nnx.RngKey, Key[Array, ""]]
    count: Annotated[nnx.RngCount, UInt32[Array, ""]]


class Dropout(TypedState):
    rngs: Stream | None


class Heads(TypedState):
    kernel: nnx.Param[Float[Array, "d heads hd"]]
    bias: nnx.Param[Float[Array, "heads hd"]]


class HeadsOut(TypedState):
    kernel: nnx.Param[Float[Array, "heads hd d"]]
    bias: nnx.Param[Float[Array, "d"]]


class Attention(TypedState):
    query: Bind[Heads, "d heads hd"]
    key: Bind[Heads, "d heads hd"]
    value: Bind[Heads, "d heads hd"]
    out: Bind[HeadsOut, "d heads hd"]
    rngs: Stream | None


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
    linear1: Bind[Linear, "din=d dout=mlp"]
    linear2: Bind[Linear, "din=mlp dout=d"]
    layernorm_before: Bind[Norm, "d"]
    layernorm_after: Bind[Norm, "d"]
    dropout: Dropout | None


class Vit(TypedState):
    pos_embeddings: Bind[VitEmbeddings, "d"]
    layers: Bind[StateMap[int, Bind[VitLayer, "d mlp"]], "len=depth"]
    ln: Bind[Norm, "d"]
    classifier: Bind[Linear, "din=d dout=labels"]


class Scale(TypedState):
    scale: nnx.Param[Float[Array, "d"]]


class Projection(TypedState):
    kernel: nnx.Param[Float[Array, "a b c"]]


class QwenAttention(TypedState):
    q_proj: Bind[Projection, "a=d b=heads c=hd"]
    k_proj: Bind[Projection, "a=d b=kv c=hd"]
    v_proj: Bind[Projection, "a=d b=kv c=hd"]
    o_proj: Bind[Projection, "a=heads b=hd c=d"]
    q_norm: Bind[Scale, "d=hd"]
    k_norm: Bind[Scale, "d=hd"]


class QwenMlp(TypedState):
    gate_proj: Bind[Linear, "din=d dout=mlp"]
    up_proj: Bind[Linear, "din=d dout=mlp"]
    down_proj: Bind[Linear, "din=mlp dout=d"]


class QwenLayer(TypedState):
    attn: Bind[QwenAttention, "d heads kv hd"]
    mlp: Bind[QwenMlp, "d mlp"]
    input_layernorm: Bind[Scale, "d"]
    post_attention_layernorm: Bind[Scale, "d"]


class Embedding(TypedState):
    embedding: nnx.Param[Float[Array, "vocab d"]]


class Qwen3(TypedState):
    embedder: Bind[Embedding, "vocab d"]
    layers: Bind[StateMap[int, Bind[QwenLayer, "d mlp heads kv hd"]], "len=depth"]
    final_norm: Bind[Scale, "d"]
    lm_head: Bind[Linear, "din=d dout=vocab"]


class MambaNorm(TypedState):
    weight: nnx.Param[Float[Array, "d"]]


class MambaConv(TypedState):
    kernel: nnx.Param[Float[Array, "window 1 features"]]
    bias: nnx.Param[Float[Array, "features"]]


class DepthwiseConv(TypedState):
    conv: Bind[MambaConv, "window features"]


class Mixer(TypedState):
    in_proj: Bind[Linear, "din=d dout=2*(inner+state)+heads"]
    conv1d: Bind[DepthwiseConv, "features=inner+2*state window"]
    norm: Bind[MambaNorm, "d=inner"]
    out_proj: Bind[Linear, "din=inner dout=d"]
    A_log: nnx.Param[Float[Array, "heads"]]
    D: nnx.Param[Float[Array, "heads"]]
    dt_bias: nnx.Param[Float[Array, "heads"]]


class MambaBlock(TypedState):
    mixer: Bind[Mixer, "d inner state heads window"]
    norm: Bind[MambaNorm, "d"]


class MambaBackbone(TypedState):
    embedder: Bind[Embedding, "vocab d"]
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
