"""What `infer` says of maxtext Llama 2."""

from typing import Annotated

from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
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
    attention_op: AttentionOpState | None
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
    self_attention: Bind[AttentionState, "d heads head_dim kv_heads"]
    post_self_attention_layer_norm: Bind[RMSNormState, "d"]
    mlp: Bind[MlpBlockState, "d hidden"]
    dropout: DropoutState


class NNXDecoderState(
    TypedState,
    extra={"layers_{len=layers}": Bind[LlamaDecoderLayerState, "d heads head_dim kv_heads hidden"]},
):
    dropout: DropoutState
    decoder_norm: Bind[RMSNormState, "d"]
    logits_dense: Bind[LogitsDenseGeneralState, "d vocab"]


class TransformerState(TypedState):
    token_embedder: Bind[EmbedState, "vocab d"]
    decoder: Bind[NNXDecoderState, "d vocab"]
