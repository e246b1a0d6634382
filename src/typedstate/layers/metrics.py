"""Metrics. Source: ``flax/nnx/training/metrics.py``."""

from typing import Annotated, TypeAlias

from flax.nnx.training.metrics import MetricState
from jaxtyping import Array, Float, Int

from ..forms import StateMap
from ..schema.typed_state import TypedState


class AverageState(TypedState):
    """The state of ``nnx.metrics.Average``."""

    total: Annotated[MetricState, Float[Array, ""]]
    count: Annotated[MetricState, Int[Array, ""]]


class AccuracyState(AverageState):
    """The state of ``nnx.metrics.Accuracy``."""


class WelfordState(TypedState):
    """The state of ``nnx.metrics.Welford``."""

    count: Annotated[MetricState, Int[Array, ""]]
    mean: Annotated[MetricState, Float[Array, ""]]
    m2: Annotated[MetricState, Float[Array, ""]]


MultiMetricState: TypeAlias = StateMap[str, AverageState | WelfordState]
"""The state of ``nnx.MultiMetric``: one metric under each name."""
