"""What `infer` says of flax VAE."""

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import LinearState, RngStreamState


# linear1.dout and linear_mean.din are both 14: a second size would settle whether they are one
class EncoderState(TypedState):
    linear1: Bind[LinearState, "din=d"]
    linear_mean: Bind[LinearState, "din dout"]
    linear_std: Bind[LinearState, "din dout"]
    rngs: StateMap[str, RngStreamState]


class DecoderState(TypedState):
    linear1: Bind[LinearState, "din=d dout=hidden"]
    linear2: Bind[LinearState, "din=hidden dout=linear2_d"]


# encoder.din and decoder.hidden are both 14: a second size would settle whether they are one
class VAEState(TypedState):
    encoder: Bind[EncoderState, "d dout=encoder_d"]
    decoder: Bind[DecoderState, "d=encoder_d linear2_d=d"]
