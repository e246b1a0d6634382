"""Types of `flax.linen.pooling`, which `flax.nnx` gives on: windows are over the axes between batch and features."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.typing import ArrayLike

def pool(
    inputs: ArrayLike,
    init: Any,
    reduce_fn: Callable[..., Any],
    window_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
) -> jax.Array: ...
def avg_pool(
    inputs: ArrayLike,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    count_include_pad: bool = True,
) -> jax.Array: ...
def max_pool(
    inputs: ArrayLike,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
) -> jax.Array: ...
def min_pool(
    inputs: ArrayLike,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
) -> jax.Array: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
