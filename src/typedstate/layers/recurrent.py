"""Recurrent cells, and the layers that run them over time. Source: ``flax/nnx/nn/recurrent.py``."""

from typing import Generic, TypeVar

from flax import nnx
from jaxtyping import Array, Float

from ..forms import Bind
from ..schema.typed_state import TypedState
from .linear import LinearState
from .rng import RngsState, RngStreamState

C = TypeVar("C")
F = TypeVar("F")
B = TypeVar("B")


class InputGateState(TypedState):
    """The state of an ``nnx.Linear`` without bias.

    Dims: din, dout.
    """

    kernel: nnx.Param[Float[Array, "din dout"]]


class LSTMCellState(TypedState):
    """The state of ``nnx.LSTMCell``; Flax 0.10 always keeps the rngs.

    Dims: din (``in_features``), hidden (``hidden_features``).
    """

    ii: Bind[InputGateState, "din dout=hidden"]
    if_: Bind[InputGateState, "din dout=hidden"]
    ig: Bind[InputGateState, "din dout=hidden"]
    io: Bind[InputGateState, "din dout=hidden"]
    hi: Bind[LinearState, "din=hidden dout=hidden"]
    hf: Bind[LinearState, "din=hidden dout=hidden"]
    hg: Bind[LinearState, "din=hidden dout=hidden"]
    ho: Bind[LinearState, "din=hidden dout=hidden"]
    rngs: RngStreamState | RngsState | None


class OptimizedLSTMCellState(TypedState):
    """The state of ``nnx.OptimizedLSTMCell``; Flax 0.10 always keeps the rngs.

    Dims: din (``in_features``), hidden (``hidden_features``).
    """

    dense_i: Bind[InputGateState, "din dout=4*hidden"]
    dense_h: Bind[LinearState, "din=hidden dout=4*hidden"]
    rngs: RngStreamState | RngsState | None


class GRUCellState(TypedState):
    """The state of ``nnx.GRUCell``; Flax 0.10 always keeps the rngs.

    Dims: din (``in_features``), hidden (``hidden_features``).
    """

    dense_i: Bind[LinearState, "din dout=3*hidden"]
    dense_h: Bind[InputGateState, "din=hidden dout=3*hidden"]
    rngs: RngStreamState | RngsState | None


class SimpleCellState(TypedState):
    """The state of ``nnx.SimpleCell``; Flax 0.10 always keeps the rngs.

    Dims: din (``in_features``), hidden (``hidden_features``).
    """

    dense_i: Bind[LinearState, "din dout=hidden"]
    dense_h: Bind[InputGateState, "din=hidden dout=hidden"]
    rngs: RngStreamState | RngsState | None


class RNNState(TypedState, Generic[C]):
    """The state of ``nnx.RNN`` over a cell with state C."""

    cell: C
    rngs: RngStreamState | RngsState | None


class BidirectionalState(TypedState, Generic[F, B]):
    """The state of ``nnx.Bidirectional`` over RNNs with states F and B."""

    forward_rnn: F
    backward_rnn: B
    rngs: RngStreamState | RngsState | None
