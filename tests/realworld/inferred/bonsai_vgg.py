"""What `infer` says of bonsai VGG."""

from typedstate import Bind, Entries, StateMap, TypedState
from typedstate.layers import ConvState, LinearState, SequentialState


class ConvBlockState(TypedState):
    conv_layers: Bind[StateMap[int, Bind[ConvState, "dout=channels"]], "len=layers"]


class VGGState(TypedState):
    conv_block0: ConvBlockState
    conv_block1: ConvBlockState
    conv_block2: ConvBlockState
    conv_block3: ConvBlockState
    conv_block4: Bind[ConvBlockState, "channels=conv_block4_channels"]
    classifier: SequentialState[
        Entries[
            Bind[ConvState, "din=conv_block4_channels dout=channels"],
            Bind[ConvState, "din=channels dout=channels"],
            None,
            Bind[LinearState, "din=channels dout"],
        ]
    ]
