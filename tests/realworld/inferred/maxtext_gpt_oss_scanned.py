"""What `infer` says of maxtext GPT OSS scanned."""

from typing import Annotated

from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from typedstate import Axis, Bind, Stacked, StateMap, TypedState
from typedstate.layers import DropoutState, RngStreamState


class EmbedState(TypedState):
    embedding: Annotated[nnx.Param[Float[Array, "vocab d"]], P("vocab", "embed_vocab")]


class RMSNormState(TypedState):
    scale: Annotated[nnx.Param[Float[Array, "d"]], P("norm")]


class LogitsDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d vocab"]], P("embed_vocab", "vocab")]


class AttentionOpState(TypedState):
    rngs: StateMap[str, RngStreamState]


class QueryDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d heads head_dim"]], P("embed", "q_heads", "kv")]
    bias: Annotated[nnx.Param[Float[Array, "heads head_dim"]], P("q_heads", "kv")]


class KeyDenseGeneralState(TypedState):
    kernel: Annotated[
        nnx.Param[Float[Array, "d kv_heads head_dim"]],
        P("embed", "kv_heads", "kv_head_dim"),
    ]
    bias: Annotated[nnx.Param[Float[Array, "kv_heads head_dim"]], P("kv_heads", "kv_head_dim")]


class OutDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "heads head_dim d"]], P("heads", "kv", "embed")]
    bias: Annotated[nnx.Param[Float[Array, "d"]], P("embed")]


class AttentionState(TypedState):
    attention_op: AttentionOpState | None
    query: Bind[QueryDenseGeneralState, "d heads head_dim"]
    key: Bind[KeyDenseGeneralState, "d kv_heads head_dim"]
    value: Bind[KeyDenseGeneralState, "d kv_heads head_dim"]
    out: Bind[OutDenseGeneralState, "heads head_dim d"]
    sinks: nnx.Param[Float[Array, "heads"]]


class GateLogitState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d dout"]], P("embed")]


class RoutedMoEState(TypedState):
    gate: Bind[GateLogitState, "d dout=experts"]
    wi_0: Annotated[nnx.Param[Float[Array, "experts d hidden"]], P("exp", "embed_moe", "mlp_moe")]
    wi_1: Annotated[nnx.Param[Float[Array, "experts d hidden"]], P("exp", "embed_moe", "mlp_moe")]
    wo: Annotated[nnx.Param[Float[Array, "experts hidden d"]], P("exp", "mlp_moe", "embed_moe")]


class GptOssDecoderLayerState(TypedState):
    pre_self_attention_layer_norm: Bind[RMSNormState, "d"]
    post_self_attention_layer_norm: Bind[RMSNormState, "d"]
    GptOssAttention: Bind[AttentionState, "d heads head_dim kv_heads"]
    GptOssMlp: Bind[RoutedMoEState, "d experts hidden"]
    dropout: DropoutState


class GptOssScannableBlockState(
    TypedState,
    extra={
        "layers_{len=layers}": Bind[
            GptOssDecoderLayerState,
            "d heads head_dim kv_heads experts hidden",
        ],
    },
):
    """No field of its own."""


class NNXDecoderState(TypedState):
    rngs: StateMap[str, RngStreamState]
    dropout: DropoutState
    decoder_norm: Bind[RMSNormState, "d"]
    logits_dense: Bind[LogitsDenseGeneralState, "d vocab"]
    layers: Stacked[
        Stacked[
            Bind[GptOssScannableBlockState, "d experts"],
            "layers",
            Axis(1, "layers"),
            nnx.Param,
        ],
        "layers",
        nnx.RngKey,
        nnx.RngCount,
    ]


class TransformerState(TypedState):
    token_embedder: Bind[EmbedState, "vocab d"]
    decoder: Bind[NNXDecoderState, "d vocab experts"]
