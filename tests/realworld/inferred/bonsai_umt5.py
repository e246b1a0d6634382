"""What `infer` says of bonsai UMT5."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import DropoutState, EmbedState, LinearState


class UMT5AttentionState(TypedState):
    q: Bind[LinearState, "din=d dout=inner"]
    k: Bind[LinearState, "din=d dout=inner"]
    v: Bind[LinearState, "din=d dout=inner"]
    o: Bind[LinearState, "din=inner dout=d"]
    dropout: DropoutState
    relative_attention_bias: Bind[EmbedState, "vocab=buckets features=heads"] | None


class T5LayerNormState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]


class UMT5LayerSelfAttentionState(TypedState):
    SelfAttention: Bind[UMT5AttentionState, "d inner buckets heads"]
    layer_norm: Bind[T5LayerNormState, "d"]


class UMT5DenseActDenseState(TypedState):
    wi_0: Bind[LinearState, "din=d dout=hidden"]
    wi_1: Bind[LinearState, "din=d dout=hidden"]
    wo: Bind[LinearState, "din=hidden dout=d"]
    dropout: DropoutState


class UMT5LayerFFState(TypedState):
    DenseReluDense: Bind[UMT5DenseActDenseState, "d hidden"]
    layer_norm: Bind[T5LayerNormState, "d"]
    dropout: DropoutState


class UMT5LayerCrossAttentionState(TypedState):
    EncDecAttention: Bind[UMT5AttentionState, "d inner"]
    layer_norm: Bind[T5LayerNormState, "d"]
    dropout: DropoutState


class UMT5BlockState(TypedState):
    layer: Bind[
        StateMap[
            int,
            (
                Bind[UMT5LayerSelfAttentionState, "d inner buckets heads"]
                | Bind[UMT5LayerFFState, "d hidden"]
                | Bind[UMT5LayerCrossAttentionState, "d inner"]
            ),
        ],
        "len=layers",
    ]


class UMT5StackState(TypedState):
    embed_tokens: Bind[EmbedState, "vocab features=d"]
    block: Bind[StateMap[int, Bind[UMT5BlockState, "d inner buckets heads hidden"]], "len=layers"]
    final_layer_norm: Bind[T5LayerNormState, "d"]
    dropout: DropoutState


class UMT5ModelState(TypedState):
    encoder: Bind[UMT5StackState, "vocab d inner hidden"]
    decoder: Bind[UMT5StackState, "vocab d inner hidden"]
    lm_head: Bind[LinearState, "din=d dout=vocab"]
