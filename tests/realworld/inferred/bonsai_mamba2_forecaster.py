"""What `infer` says of bonsai Mamba2 forecaster."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import ConvState, EmbedState, LinearState


class RMSNormState(TypedState):
    weight: nnx.Param[Float[Array, "d"]]


class DepthwiseConv1dState(TypedState):
    conv: Bind[ConvState, "dout=channels"]


class Mamba2MixerState(TypedState):
    in_proj: Bind[LinearState, "din=d dout=in_proj"]
    conv1d: Bind[DepthwiseConv1dState, "channels"]
    dt_bias: nnx.Param[Float[Array, "heads"]]
    A_log: nnx.Param[Float[Array, "heads"]]
    D: nnx.Param[Float[Array, "heads"]]
    norm: Bind[RMSNormState, "d=inner"]
    out_proj: Bind[LinearState, "din=inner dout=d"]


class Mamba2BlockState(TypedState):
    norm: Bind[RMSNormState, "d"]
    mixer: Bind[Mamba2MixerState, "d in_proj channels heads inner"]


class Mamba2ModelState(TypedState):
    embedder: Bind[EmbedState, "features=d"]
    layers: Bind[
        StateMap[int, Bind[Mamba2BlockState, "d in_proj channels heads inner"]],
        "len=layers",
    ]
    final_norm: Bind[RMSNormState, "d"]


# mamba2.inner and output_proj.dout are both 24: a second size would settle whether they are one
class Mamba2ForecasterState(TypedState):
    input_proj: Bind[LinearState, "din dout=d"]
    mamba2: Bind[Mamba2ModelState, "d"]
    output_proj: Bind[LinearState, "din=d dout=forecast_horizon"]
