"""What `infer` says of flax MNIST."""

from typedstate import Bind, TypedState
from typedstate.layers import BatchNormState, ConvState, LinearState


class CNNState(TypedState):
    conv1: Bind[ConvState, "dout=channels"]
    batch_norm1: Bind[BatchNormState, "features=channels"]
    conv2: Bind[ConvState, "din=channels dout=cout"]
    batch_norm2: Bind[BatchNormState, "features=cout"]
    linear1: Bind[LinearState, "din dout=hidden"]
    linear2: Bind[LinearState, "din=hidden dout"]
