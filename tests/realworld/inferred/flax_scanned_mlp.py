"""What `infer` says of flax scanned MLP."""

from typedstate import Bind, Stacked, TypedState
from typedstate.layers import BatchNormState, DropoutState, LinearState


class BlockState(TypedState):
    linear: Bind[LinearState, "din=d dout=d"]
    bn: Bind[BatchNormState, "features=d"]
    dropout: DropoutState


class ScanMLPState(TypedState):
    layers: Stacked[Bind[BlockState, "d"], "layers"]
