"""States of given sizes, and the lines of their reports."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from typedstate import explain


def linear(din: int, dout: int) -> dict[str, Any]:
    return {"kernel": nnx.Param(jnp.ones((din, dout))), "bias": nnx.Param(jnp.ones(dout))}


def ones(*shape: int) -> Any:
    return nnx.Param(jnp.ones(shape))


def lines(value: object, hint: Any, **dims: int) -> list[str]:
    return [str(found) for found in explain(value, hint, dims=dims).violations]
