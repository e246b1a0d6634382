"""Normalization layers. Source: ``flax/nnx/nn/normalization.py``."""

from typing import Generic, TypeVar

from flax import nnx
from jaxtyping import Array, Float

from ..forms import StateOf
from ..schema.typed_state import TypedState

L = TypeVar("L")


class LayerNormState(TypedState):
    """The state of ``nnx.LayerNorm``.

    Dims: features (``num_features``).
    """

    scale: nnx.Param[Float[Array, "features"]] | None
    bias: nnx.Param[Float[Array, "features"]] | None


class GroupNormState(LayerNormState):
    """The state of ``nnx.GroupNorm``.

    Dims: features (``num_features``).
    """


class InstanceNormState(LayerNormState):
    """The state of ``nnx.InstanceNorm``.

    Dims: features (``num_features``).
    """


class RMSNormState(TypedState):
    """The state of ``nnx.RMSNorm``.

    Dims: features (``num_features``).
    """

    scale: nnx.Param[Float[Array, "features"]] | None


class BatchNormState(LayerNormState):
    """The state of ``nnx.BatchNorm``.

    Dims: features (``num_features``).
    """

    mean: nnx.BatchStat[Float[Array, "features"]]
    var: nnx.BatchStat[Float[Array, "features"]]


class WeightNormState(TypedState, Generic[L]):
    """The state of ``nnx.WeightNorm`` around a layer with state L.

    The keys of ``scales`` are paths in the layer, as tuples. Up to Flax 0.12.8 the leaves below
    are arrays without Variables.
    """

    layer_instance: L
    scales: StateOf[nnx.Param[Float[Array, "..."]] | Float[Array, "..."]] | None


class SpectralNormState(TypedState, Generic[L]):
    """The state of ``nnx.SpectralNorm`` around a layer with state L.

    The keys of ``batch_stats`` are tuples: a path within the layer, then ``"u"`` (the singular
    vector) or ``"sigma"`` (the singular value).
    """

    layer_instance: L
    batch_stats: StateOf[nnx.BatchStat[Float[Array, "1 ?n"] | Float[Array, ""]]] | None
