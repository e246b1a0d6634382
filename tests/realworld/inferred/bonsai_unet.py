"""What `infer` says of bonsai UNet."""

from typedstate import Bind, TypedState
from typedstate.layers import ConvState, ConvTransposeState


class DoubleConvState(TypedState):
    conv1: Bind[ConvState, "din=cin dout=channels"]
    conv2: Bind[ConvState, "din=channels dout=channels"]


class DownState(TypedState):
    conv: Bind[DoubleConvState, "cin channels"]


class UpState(TypedState):
    up: Bind[ConvTransposeState, "din=cin dout=cout"]
    conv: Bind[DoubleConvState, "cin channels=cout"]


class OutConvState(TypedState):
    conv: Bind[ConvState, "din=cin dout=cout"]


class UNetState(TypedState):
    inc: Bind[DoubleConvState, "channels"]
    down1: Bind[DownState, "cin=channels channels=down1_channels"]
    down2: Bind[DownState, "cin=down1_channels channels=down2_channels"]
    down3: Bind[DownState, "cin=down2_channels channels=down3_channels"]
    down4: Bind[DownState, "cin=down3_channels channels=down4_channels"]
    up1: Bind[UpState, "cin=down4_channels cout=down3_channels"]
    up2: Bind[UpState, "cin=down3_channels cout=down2_channels"]
    up3: Bind[UpState, "cin=down2_channels cout=down1_channels"]
    up4: Bind[UpState, "cin=down1_channels cout=channels"]
    outc: Bind[OutConvState, "cin=channels cout"]
