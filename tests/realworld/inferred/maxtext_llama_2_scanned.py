"""What `infer` says of maxtext Llama 2 scanned."""

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


class KeyDenseGeneralState(TypedState):
    kernel: Annotated[
        nnx.Param[Float[Array, "d kv_heads head_dim"]],
        P("embed", "kv_heads", "kv_head_dim"),
    ]


class OutDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "heads head_dim d"]], P("heads", "kv", "embed")]


class AttentionState(TypedState):
    attention_op: AttentionOpState
    query: Bind[QueryDenseGeneralState, "d heads head_dim"]
    key: Bind[KeyDenseGeneralState, "d kv_heads head_dim"]
    value: Bind[KeyDenseGeneralState, "d kv_heads head_dim"]
    out: Bind[OutDenseGeneralState, "heads head_dim d"]


class WiDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d hidden"]], P("embed", "mlp")]


class WoDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "hidden d"]], P("mlp", "embed")]


class MlpBlockState(TypedState):
    wi_0: Bind[WiDenseGeneralState, "d hidden"]
    wi_1: Bind[WiDenseGeneralState, "d hidden"]
    dropout: DropoutState
    wo: Bind[WoDenseGeneralState, "hidden d"]


class LlamaDecoderLayerState(TypedState):
    pre_self_attention_layer_norm: Bind[RMSNormState, "d"]
    self_attention: Bind[AttentionState, "d"]
    post_self_attention_layer_norm: Bind[RMSNormState, "d"]
    mlp: Bind[MlpBlockState, "d"]
    dropout: DropoutState


class NNXDecoderState(TypedState):
    rngs: StateMap[str, RngStreamState]
    dropout: DropoutState
    decoder_norm: Bind[RMSNormState, "d"]
    logits_dense: Bind[LogitsDenseGeneralState, "d vocab"]
    layers: Stacked[
        Stacked[Bind[LlamaDecoderLayerState, "d"], "layers", Axis(1, "layers"), nnx.Param],
        "layers",
        nnx.RngKey,
        nnx.RngCount,
    ]


class TransformerState(TypedState):
    token_embedder: Bind[EmbedState, "vocab d"]
    decoder: Bind[NNXDecoderState, "d vocab"]
