"""What `infer` says of bonsai ResNet."""

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import BatchNormState, ConvState, LinearState


class StemState(TypedState):
    conv: Bind[ConvState, "din=cin dout=cout"]
    bn: Bind[BatchNormState, "features=cout"]


class DownsampleState(TypedState):
    conv: Bind[ConvState, "din=cin dout=cout"]
    bn: Bind[BatchNormState, "features=cout"]


class BottleneckState(TypedState):
    conv0: Bind[ConvState, "din=cin dout=channels"]
    bn0: Bind[BatchNormState, "features=channels"]
    conv1: Bind[ConvState, "din=channels dout=channels"]
    bn1: Bind[BatchNormState, "features=channels"]
    conv2: Bind[ConvState, "din=channels dout=cout"]
    bn2: Bind[BatchNormState, "features=cout"]
    downsample: Bind[DownsampleState, "cin cout"] | None


class BlockGroupState(TypedState):
    blocks: Bind[StateMap[int, Bind[BottleneckState, "channels cout"]], "len=layers"]


# stem.cout and layer0.channels are both 64: a second size would settle whether they are one
class ResNetState(TypedState):
    stem: Bind[StemState, "cin"]
    layer0: BlockGroupState
    layer1: BlockGroupState
    layer2: BlockGroupState
    layer3: Bind[BlockGroupState, "cout=channels"]
    fc: Bind[LinearState, "din=channels dout=classes"]
