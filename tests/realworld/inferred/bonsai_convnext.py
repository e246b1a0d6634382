"""What `infer` says of bonsai ConvNeXt."""

from flax import nnx
from jaxtyping import Array, Float

from typedstate import Bind, Entries, StateMap, TypedState
from typedstate.layers import ConvState, LayerNormState, LinearState, SequentialState


class BlockState(TypedState):
    dwconv: Bind[ConvState, "dout=channels"]
    norm: Bind[LayerNormState, "features=channels"]
    pwconv1: Bind[LinearState, "din=channels dout=hidden"]
    pwconv2: Bind[LinearState, "din=hidden dout=channels"]
    gamma: nnx.Param[Float[Array, "channels"]]


class StageState(TypedState):
    downsample_layers: (
        Entries[Bind[LayerNormState, "features=cin"], Bind[ConvState, "din=cin dout=channels"]]
        | None
    )
    layers: Bind[StateMap[int, Bind[BlockState, "channels hidden"]], "len=layers"]


class ConvNeXtState(TypedState):
    embedding_layer: SequentialState[
        Entries[Bind[ConvState, "din=cin dout=cout"], Bind[LayerNormState, "features=cout"]]
    ]
    stages: Bind[StateMap[int, StageState], "len=stages"]
    norm: Bind[LayerNormState, "features=d"]
    head: Bind[LinearState, "din=d dout=classes"]
