"""What `infer` says of maxtext DeepSeek."""

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


class OutDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "heads head_dim d"]], P("heads", "kv", "embed")]


class WkvADenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d kv_lora_up_proj"]], P("embed", "kv_lora_up_proj")]


class WkvBDenseGeneralState(TypedState):
    kernel: Annotated[
        nnx.Param[Float[Array, "kv_lora kv_heads head_dim"]],
        P("kv_lora", "kv_heads", "kv_head_dim"),
    ]


class WqADenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d q_lora_up_proj"]], P("embed", "q_lora_up_proj")]


class WqBDenseGeneralState(TypedState):
    kernel: Annotated[
        nnx.Param[Float[Array, "q_lora heads head_dim"]],
        P("q_lora", "q_heads", "kv"),
    ]


class MLAState(TypedState):
    out: Bind[OutDenseGeneralState, "heads head_dim d"]
    kv_norm: Bind[RMSNormState, "d=kv_lora"]
    q_norm: Bind[RMSNormState, "d=q_lora_up_proj"]
    wkv_a: Bind[WkvADenseGeneralState, "d kv_lora_up_proj"]
    wkv_b: Bind[WkvBDenseGeneralState, "kv_lora kv_heads=heads head_dim=wkv_b_head_dim"]
    wq_a: Bind[WqADenseGeneralState, "d q_lora_up_proj"]
    wq_b: Bind[WqBDenseGeneralState, "q_lora=q_lora_up_proj heads head_dim=wq_b_head_dim"]


class WiDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d hidden"]], P("embed", "mlp")]


class WoDenseGeneralState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "hidden d"]], P("mlp", "embed")]


class MlpBlockState(TypedState):
    wi_0: Bind[WiDenseGeneralState, "d hidden"]
    wi_1: Bind[WiDenseGeneralState, "d hidden"]
    dropout: DropoutState
    wo: Bind[WoDenseGeneralState, "hidden d"]


class DeepSeekDenseLayerState(TypedState):
    rngs: StateMap[str, RngStreamState] | None
    pre_self_attention_layer_norm: Bind[RMSNormState, "d"]
    post_self_attention_layer_norm: Bind[RMSNormState, "d"]
    self_attention: Bind[
        MLAState,
        "heads head_dim d kv_lora q_lora_up_proj kv_lora_up_proj wkv_b_head_dim wq_b_head_dim",
    ]
    dropout: DropoutState
    mlp: Bind[MlpBlockState, "d hidden"]


class GateLogitState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d dout"]], P("embed_moe")]
    bias: nnx.Param[Float[Array, "dout"]]


class RoutedMoEState(TypedState):
    gate: Bind[GateLogitState, "d dout=experts"]
    wi_0: Annotated[nnx.Param[Float[Array, "experts d hidden"]], P("exp", "embed_moe", "mlp_moe")]
    wi_1: Annotated[nnx.Param[Float[Array, "experts d hidden"]], P("exp", "embed_moe", "mlp_moe")]
    wo: Annotated[nnx.Param[Float[Array, "experts hidden d"]], P("exp", "mlp_moe", "embed_moe")]


class RoutedAndSharedMoEState(TypedState):
    MoeBlock_0: Bind[RoutedMoEState, "d experts hidden"]
    shared_experts: Bind[MlpBlockState, "d hidden=shared_experts_hidden"]


class DeepSeekMoELayerState(TypedState):
    pre_self_attention_layer_norm: Bind[RMSNormState, "d"]
    post_self_attention_layer_norm: Bind[RMSNormState, "d"]
    self_attention: Bind[
        MLAState,
        "heads head_dim d kv_lora q_lora_up_proj kv_lora_up_proj wkv_b_head_dim wq_b_head_dim",
    ]
    dropout: DropoutState
    DeepSeekMoeBlock_0: Bind[RoutedAndSharedMoEState, "d experts hidden shared_experts_hidden"]


class NNXDecoderState(
    TypedState,
    extra={
        "dense_layers_{len=dense_layers}": Bind[
            DeepSeekDenseLayerState,
            "d heads head_dim kv_lora q_lora_up_proj kv_lora_up_proj wkv_b_head_dim wq_b_head_dim hidden",
        ],
        "moe_layers_{len=moe_layers}": Bind[
            DeepSeekMoELayerState,
            "d heads=moe_layers_heads head_dim=moe_layers_head_dim kv_lora q_lora_up_proj kv_lora_up_proj wkv_b_head_dim=head_dim2 wq_b_head_dim=head_dim3 experts hidden=moe_layers_hidden shared_experts_hidden",
        ],
    },
):
    dropout: DropoutState
    decoder_norm: Bind[RMSNormState, "d"]
    logits_dense: Bind[LogitsDenseGeneralState, "d vocab"]


class TransformerState(TypedState):
    token_embedder: Bind[EmbedState, "vocab d"]
    decoder: Bind[NNXDecoderState, "d vocab experts"]
