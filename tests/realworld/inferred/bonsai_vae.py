"""What `infer` says of bonsai VAE."""

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import ConvState, GroupNormState, LinearState


class ResnetBlockState(TypedState):
    conv_shortcut: Bind[ConvState, "din=cin dout=channels"] | None
    norm1: Bind[GroupNormState, "features=cin"]
    conv1: Bind[ConvState, "din=cin dout=channels"]
    norm2: Bind[GroupNormState, "features=channels"]
    conv2: Bind[ConvState, "din=channels dout=channels"]


class DownEncoderBlock2DState(TypedState):
    downsamplers: Bind[ConvState, "din=channels dout=channels"] | None
    resnets: Bind[StateMap[int, Bind[ResnetBlockState, "channels"]], "len=resnets"]


class AttentionState(TypedState):
    group_norm: Bind[GroupNormState, "features=d"]
    to_q: Bind[LinearState, "din=d dout=d"]
    to_k: Bind[LinearState, "din=d dout=d"]
    to_v: Bind[LinearState, "din=d dout=d"]
    to_out: Bind[LinearState, "din=d dout=d"]


class UNetMidBlock2DState(TypedState):
    resnets: Bind[StateMap[int, Bind[ResnetBlockState, "cin=d channels=d"]], "len=resnets"]
    attentions: Bind[StateMap[int, Bind[AttentionState, "d"]], "len=attentions"]


class EncoderState(TypedState):
    conv_in: Bind[ConvState, "din=cin dout=cout"]
    down_blocks: Bind[StateMap[int, DownEncoderBlock2DState], "len=down_blocks"]
    mid_block: Bind[UNetMidBlock2DState, "d=channels"]
    conv_norm_out: Bind[GroupNormState, "features=channels"]
    conv_out: Bind[ConvState, "din=channels dout=conv_out_cout"]


class Upsample2DState(TypedState):
    conv: Bind[ConvState, "din=channels dout=channels"]


class UpDecoderBlock2DState(TypedState):
    upsamplers: Bind[Upsample2DState, "channels"] | None
    resnets: Bind[StateMap[int, Bind[ResnetBlockState, "channels"]], "len=resnets"]


class DecoderState(TypedState):
    conv_in: Bind[ConvState, "din=conv_in_cin dout=channels"]
    mid_block: Bind[UNetMidBlock2DState, "d=channels"]
    up_blocks: Bind[StateMap[int, UpDecoderBlock2DState], "len=up_blocks"]
    conv_norm_out: Bind[GroupNormState, "features=cin"]
    conv_out: Bind[ConvState, "din=cin dout=cout"]


# post_quant_conv.din and decoder.conv_in_cin are both 5: a second size would settle whether they
# are one
class VAEState(TypedState):
    encoder: Bind[
        EncoderState,
        "cin cout=encoder_channels channels conv_out_cout=quant_conv_channels",
    ]
    quant_conv: Bind[ConvState, "din=quant_conv_channels dout=quant_conv_channels"]
    post_quant_conv: Bind[ConvState, "dout=post_quant_conv_channels"]
    decoder: Bind[
        DecoderState,
        "conv_in_cin=post_quant_conv_channels channels cin=encoder_channels cout=cin",
    ]
