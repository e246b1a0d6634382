"""What `infer` says of flax VAE."""

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import LinearState, RngStreamState


class EncoderState(TypedState):
    linear1: Bind[LinearState, "din dout=hidden"]
    linear_mean: Bind[LinearState, "din=hidden dout=latent"]
    linear_std: Bind[LinearState, "din=hidden dout=latent"]
    rngs: StateMap[str, RngStreamState]


class DecoderState(TypedState):
    linear1: Bind[LinearState, "din dout=hidden"]
    linear2: Bind[LinearState, "din=hidden dout"]


class VAEState(TypedState):
    encoder: Bind[EncoderState, "din=d latent"]
    decoder: Bind[DecoderState, "din=latent dout=d"]
