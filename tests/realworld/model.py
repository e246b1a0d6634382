"""A public NNX model at tiny sizes, built from a checkout of its repository.

Every builder takes a scale, 0, 1 or 2: the same model with all sizes different. Nothing is
downloaded; parameters are zeros, as no check reads a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

Build = Callable[[int], Any]


@dataclass(frozen=True)
class Model:
    """A public model.

    Attributes:
      name: repository and model.
      build: makes it at a scale.
    """

    name: str
    build: Build


def concrete(make: Callable[[], Any]) -> Any:
    """The module that `make` returns, with zeros for its parameters and no time for them."""
    model = nnx.eval_shape(make)
    graphdef, state = nnx.split(model)
    return nnx.merge(graphdef, jax.tree.map(_zeros, state))


def _zeros(leaf: Any) -> Any:
    if not isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        keys = jax.random.split(jax.random.key(0), leaf.shape) if leaf.shape else jax.random.key(0)
        return keys
    return jnp.zeros(leaf.shape, leaf.dtype)


def pick(scale: int, *options: Any) -> Any:
    """The option of a scale."""
    return options[scale]
