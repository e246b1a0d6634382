"""Linear layers, convolutions and embeddings. Source: ``flax/nnx/nn/linear.py``."""

from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Shaped

from ..schema.typed_state import TypedState


class LinearState(TypedState):
    """The state of ``nnx.Linear``.

    Dims: din (``in_features``), dout (``out_features``).
    """

    kernel: nnx.Param[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class LinearGeneralState(TypedState):
    """The state of ``nnx.LinearGeneral``, with any number of batch, input and output axes.

    Dims: *dout (the axes of the bias: batch axes, ``out_features``).
    """

    kernel: nnx.Param[Float[Array, "..."]]
    bias: nnx.Param[Float[Array, "*dout"]] | None


class EinsumState(TypedState):
    """The state of ``nnx.Einsum``: a kernel of any shape, a bias if ``bias_shape`` was given."""

    kernel: nnx.Param[Float[Array, "..."]]
    bias: nnx.Param[Float[Array, "..."]] | None


class ConvState(TypedState):
    """The state of ``nnx.Conv``.

    Dims: *window (``kernel_size``), din (``in_features // feature_group_count``),
    dout (``out_features``).
    """

    kernel: nnx.Param[Float[Array, "*window din dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None
    mask: (
        Shaped[Array, "*window din dout"] | Shaped[np.ndarray[Any, Any], "*window din dout"] | None
    )


class ConvTransposeState(TypedState):
    """The state of ``nnx.ConvTranspose``; with ``transpose_kernel`` its last two axes swap.

    Dims: *window (``kernel_size``), din (``in_features``), dout (``out_features``).
    """

    kernel: nnx.Param[Float[Array, "*window din dout"] | Float[Array, "*window dout din"]]
    bias: nnx.Param[Float[Array, "dout"]] | None
    mask: Shaped[Array, "*window _ _"] | Shaped[np.ndarray[Any, Any], "*window _ _"] | None


class EmbedState(TypedState):
    """The state of ``nnx.Embed``.

    Dims: vocab (``num_embeddings``), features.
    """

    embedding: nnx.Param[Float[Array, "vocab features"]]
