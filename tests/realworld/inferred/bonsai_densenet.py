"""What `infer` says of bonsai DenseNet."""

from typedstate import Bind, Entries, StateMap, TypedState
from typedstate.layers import BatchNormState, ConvState, LinearState, SequentialState


class DenseBlockState(TypedState):
    bn_layers: Bind[StateMap[int, BatchNormState], "len=layers"]
    conv_layers: Bind[StateMap[int, ConvState], "len=layers"]


class TransitionLayerState(TypedState):
    bn: Bind[BatchNormState, "features=cin"]
    conv: Bind[ConvState, "din=cin"]


class DenseNetState(TypedState):
    init_conv: Bind[ConvState, "din=cin dout=cout"]
    init_bn: Bind[BatchNormState, "features=cout"]
    blocks: SequentialState[
        Entries[
            DenseBlockState,
            TransitionLayerState,
            DenseBlockState,
            TransitionLayerState,
            DenseBlockState,
            TransitionLayerState,
            DenseBlockState,
        ]
    ]
    final_bn: Bind[BatchNormState, "features=d"]
    linear: Bind[LinearState, "din=d dout"]
