"""Types of `flax.nnx.nn.linear`: the layers with a kernel, and `Embed`."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
from flax.core.frozen_dict import FrozenDict
from flax.nnx import rnglib
from flax.nnx.module import Module
from flax.nnx.variablelib import Param
from flax.typing import (
    ConvGeneralDilatedT,
    DotGeneralT,
    Dtype,
    EinsumT,
    Initializer,
    LaxPadding,
    PaddingLike,
    PrecisionLike,
    PromoteDtypeFn,
    Shape,
)
from jax import Array as Array

Axis: TypeAlias = int
Size: TypeAlias = int

default_kernel_init: Initializer
default_bias_init: Initializer
default_embed_init: Initializer

def canonicalize_padding(padding: PaddingLike, rank: int) -> LaxPadding: ...

class LinearGeneral(Module):
    in_features: tuple[int, ...]
    out_features: tuple[int, ...]
    axis: tuple[int, ...]
    batch_axis: FrozenDict[Axis, Size]
    use_bias: bool
    dtype: Dtype | None
    param_dtype: Dtype
    precision: PrecisionLike
    dot_general: DotGeneralT | None
    dot_general_cls: Any
    promote_dtype: PromoteDtypeFn
    preferred_element_type: Dtype | None
    kernel: Param[jax.Array]
    bias: Param[jax.Array] | None
    def __init__(
        self,
        in_features: Size | Sequence[Size],
        out_features: Size | Sequence[Size],
        *,
        axis: Axis | Sequence[Axis] = -1,
        batch_axis: Mapping[Axis, Size] = ...,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = ...,
        kernel_init: Initializer = ...,
        bias_init: Initializer = ...,
        precision: PrecisionLike = None,
        promote_dtype: PromoteDtypeFn = ...,
        dot_general: DotGeneralT | None = None,
        dot_general_cls: Any = None,
        preferred_element_type: Dtype | None = None,
        rngs: rnglib.Rngs,
        kernel_metadata: Mapping[str, Any] = ...,
        bias_metadata: Mapping[str, Any] = ...,
    ) -> None: ...
    def __call__(self, inputs: Array, out_sharding: Any = None) -> Array: ...

class Linear(Module):
    kernel: Param[jax.Array]
    bias: Param[jax.Array] | None
    in_features: int
    out_features: int
    use_bias: bool
    dtype: Dtype | None
    param_dtype: Dtype
    precision: PrecisionLike
    dot_general: DotGeneralT
    promote_dtype: PromoteDtypeFn
    preferred_element_type: Dtype | None
    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        use_bias: bool = True,
        dtype: Dtype | None = None,
        param_dtype: Dtype = ...,
        precision: PrecisionLike = None,
        kernel_init: Initializer = ...,
        bias_init: Initializer = ...,
        dot_general: DotGeneralT = ...,
        promote_dtype: PromoteDtypeFn = ...,
        preferred_element_type: Dtype | None = None,
        rngs: rnglib.Rngs,
        kernel_metadata: Mapping[str, Any] = ...,
        bias_metadata: Mapping[str, Any] = ...,
    ) -> None: ...
    def __call__(self, inputs: Array, out_sharding: Any = None) -> Array: ...

class Einsum(Module):
    kernel: Param[jax.Array]
    bias: Param[jax.Array] | None
    einsum_str: str
    kernel_shape: Shape
    bias_shape: Shape | None
    dtype: Dtype | None
    param_dtype: Dtype
    precision: PrecisionLike
    promote_dtype: PromoteDtypeFn
    einsum_op: EinsumT
    preferred_element_type: Dtype | None
    def __init__(
        self,
        einsum_str: str,
        kernel_shape: Shape,
        bias_shape: Shape | None = None,
        *,
        dtype: Dtype | None = None,
        param_dtype: Dtype = ...,
        precision: PrecisionLike = None,
        kernel_init: Initializer = ...,
        bias_init: Initializer = ...,
        promote_dtype: PromoteDtypeFn = ...,
        einsum_op: EinsumT = ...,
        preferred_element_type: Dtype | None = None,
        rngs: rnglib.Rngs,
        kernel_metadata: Mapping[str, Any] = ...,
        bias_metadata: Mapping[str, Any] = ...,
    ) -> None: ...
    def __call__(self, inputs: Array, einsum_str: str | None = None, out_sharding: Any = None) -> Array: ...

class Conv(Module):
    kernel_shape: tuple[int, ...]
    kernel: Param[jax.Array]
    bias: Param[jax.Array] | None
    in_features: int
    out_features: int
    kernel_size: tuple[int, ...]
    strides: int | Sequence[int] | None
    padding: PaddingLike
    input_dilation: int | Sequence[int] | None
    kernel_dilation: int | Sequence[int] | None
    feature_group_count: int
    use_bias: bool
    mask: Array | None
    dtype: Dtype | None
    param_dtype: Dtype
    precision: PrecisionLike
    conv_general_dilated: ConvGeneralDilatedT
    promote_dtype: PromoteDtypeFn
    preferred_element_type: Dtype | None
    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] | None = 1,
        *,
        padding: PaddingLike = "SAME",
        input_dilation: int | Sequence[int] | None = 1,
        kernel_dilation: int | Sequence[int] | None = 1,
        feature_group_count: int = 1,
        use_bias: bool = True,
        mask: Array | None = None,
        dtype: Dtype | None = None,
        param_dtype: Dtype = ...,
        precision: PrecisionLike = None,
        kernel_init: Initializer = ...,
        bias_init: Initializer = ...,
        conv_general_dilated: ConvGeneralDilatedT = ...,
        promote_dtype: PromoteDtypeFn = ...,
        preferred_element_type: Dtype | None = None,
        rngs: rnglib.Rngs,
        kernel_metadata: Mapping[str, Any] = ...,
        bias_metadata: Mapping[str, Any] = ...,
    ) -> None: ...
    def __call__(self, inputs: Array, out_sharding: Any = None) -> Array: ...

class ConvTranspose(Module):
    kernel_size: tuple[int, ...]
    in_features: int
    out_features: int
    strides: int | Sequence[int] | None
    padding: PaddingLike
    kernel_dilation: int | Sequence[int] | None
    use_bias: bool
    mask: Array | None
    dtype: Dtype | None
    param_dtype: Dtype
    precision: PrecisionLike | None
    transpose_kernel: bool
    promote_dtype: PromoteDtypeFn
    preferred_element_type: Dtype | None
    kernel_shape: tuple[int, ...]
    kernel: Param[jax.Array]
    bias: Param[jax.Array] | None
    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] | None = None,
        *,
        padding: PaddingLike = "SAME",
        kernel_dilation: int | Sequence[int] | None = None,
        use_bias: bool = True,
        mask: Array | None = None,
        dtype: Dtype | None = None,
        param_dtype: Dtype = ...,
        precision: PrecisionLike | None = None,
        kernel_init: Initializer = ...,
        bias_init: Initializer = ...,
        transpose_kernel: bool = False,
        promote_dtype: PromoteDtypeFn = ...,
        preferred_element_type: Dtype | None = None,
        rngs: rnglib.Rngs,
        kernel_metadata: Mapping[str, Any] = ...,
        bias_metadata: Mapping[str, Any] = ...,
    ) -> None: ...
    def __call__(self, inputs: Array) -> Array: ...

class Embed(Module):
    embedding: Param[jax.Array]
    num_embeddings: int
    features: int
    dtype: Dtype
    param_dtype: Dtype
    promote_dtype: PromoteDtypeFn
    def __init__(
        self,
        num_embeddings: int,
        features: int,
        *,
        dtype: Dtype | None = None,
        param_dtype: Dtype = ...,
        embedding_init: Initializer = ...,
        promote_dtype: PromoteDtypeFn = ...,
        rngs: rnglib.Rngs,
        embedding_metadata: Mapping[str, Any] = ...,
    ) -> None: ...
    def __call__(self, inputs: Array, out_sharding: Any = None) -> Array: ...
    def attend(self, query: Array, out_sharding: Any = None) -> Array: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
