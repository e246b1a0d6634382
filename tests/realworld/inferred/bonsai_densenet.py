"""What `infer` says of bonsai DenseNet."""

from typedstate import Bind, Entries, StateMap, TypedState
from typedstate.layers import BatchNormState, ConvState, LinearState, SequentialState


class DenseBlockState(TypedState):
    bn_layers: Bind[StateMap[int, BatchNormState], "len=bn_layers"]
    conv_layers: Bind[StateMap[int, ConvState], "len=conv_layers"]


class TransitionLayerState(TypedState):
    bn: Bind[BatchNormState, "features=cin"]
    conv: Bind[ConvState, "din=cin dout=cout"]


class DenseNetState(TypedState):
    init_conv: Bind[ConvState, "din=cin dout=cout"]
    init_bn: Bind[BatchNormState, "features=cout"]
    blocks: SequentialState[
        Entries[
            DenseBlockState,
            Bind[TransitionLayerState, "cin=layer_1_cin cout"],
            DenseBlockState,
            Bind[TransitionLayerState, "cin=layer_3_cin"],
            DenseBlockState,
            Bind[TransitionLayerState, "cin=layer_5_cin"],
            DenseBlockState,
        ]
    ]
    final_bn: Bind[BatchNormState, "features=d"]
    linear: Bind[LinearState, "din=d"]
