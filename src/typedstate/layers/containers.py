"""Modules that only hold others; ``nnx.List`` and ``nnx.Dict`` are `StateMap` or `Entries`."""

from typing import Generic, TypeVar

from ..schema.typed_state import TypedState

S = TypeVar("S")


class SequentialState(TypedState, Generic[S]):
    """The state of ``nnx.Sequential``; S is the state of its layers.

    S is a `StateMap` with int keys, or `Entries` with None for each function and each layer
    without state. Source: ``flax/nnx/helpers.py``.
    """

    layers: S


class EMAState(TypedState, Generic[S]):
    """The state of ``nnx.EMA`` over parameters with state S.

    Source: ``flax/nnx/training/ema.py``.
    """

    params: S
