"""Schemas of single layers, as a user writes them by hand."""

from __future__ import annotations

from typing import Annotated

from flax import nnx
from jaxtyping import Array, Float, Key, UInt32

from typedstate import Bind, StateMap, TypedState


class KernelState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]


class DenseState(KernelState):
    bias: nnx.Param[Float[Array, "dout"]]


class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class ConvState(TypedState):
    kernel: nnx.Param[Float[Array, "*window cin cout"]]
    bias: nnx.Param[Float[Array, "cout"]] | None


class EmbedState(TypedState):
    embedding: nnx.Param[Float[Array, "vocab d"]]


class ScaleState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]


class NormState(ScaleState):
    bias: nnx.Param[Float[Array, "d"]]


class BatchNormState(NormState):
    mean: nnx.BatchStat[Float[Array, "d"]]
    var: nnx.BatchStat[Float[Array, "d"]]


class StreamState(TypedState):
    key: Annotated[nnx.RngKey, Key[Array, ""]]
    count: Annotated[nnx.RngCount, UInt32[Array, ""]]


class StreamsState(TypedState):
    dropout: StreamState


class DropoutState(TypedState):
    rngs: StreamState | StreamsState  # of one stream, or up to Flax 0.10 of all


class HeadsState(TypedState):
    kernel: nnx.Param[Float[Array, "d heads hd"]]
    bias: nnx.Param[Float[Array, "heads hd"]]


class OutState(TypedState):
    kernel: nnx.Param[Float[Array, "heads hd d"]]
    bias: nnx.Param[Float[Array, "d"]]


class LoraState(TypedState):
    lora_a: nnx.LoRAParam[Float[Array, "din r"]]
    lora_b: nnx.LoRAParam[Float[Array, "r dout"]]


class LoraLinearState(LinearState):
    lora: Bind[LoraState, "din r dout"]


class LstmState(TypedState, extra={"i{}": Bind[LinearState, "din=d dout=h"]}):
    hf: Bind[LinearState, "din=h dout=h"]
    hg: Bind[LinearState, "din=h dout=h"]
    hi: Bind[LinearState, "din=h dout=h"]
    ho: Bind[LinearState, "din=h dout=h"]
    rngs: StateMap[str, StreamState] | None  # up to Flax 0.10
