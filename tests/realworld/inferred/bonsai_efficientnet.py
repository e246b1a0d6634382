"""What `infer` says of bonsai EfficientNet."""

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import BatchNormState, ConvState, LinearState


class SqueezeAndExcitationState(TypedState):
    conv1: Bind[ConvState, "din=channels dout=hidden"]
    conv2: Bind[ConvState, "din=hidden dout=channels"]


class MBConvState(TypedState):
    expand_conv: Bind[ConvState, "dout=channels"] | None
    bn0: Bind[BatchNormState, "features=channels"] | None
    depthwise_conv: Bind[ConvState, "dout=channels"]
    bn1: Bind[BatchNormState, "features=channels"]
    se: Bind[SqueezeAndExcitationState, "channels"]
    project_conv: Bind[ConvState, "din=channels dout=cout"]
    bn2: Bind[BatchNormState, "features=cout"]


class EfficientNetState(TypedState):
    stem_conv: Bind[ConvState, "din=cin dout=cout"]
    stem_bn: Bind[BatchNormState, "features=cout"]
    blocks: Bind[StateMap[int, MBConvState], "len=layers"]
    head_conv: Bind[ConvState, "dout=channels"]
    head_bn: Bind[BatchNormState, "features=channels"]
    classifier: Bind[LinearState, "din=channels dout=classes"]
