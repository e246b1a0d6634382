"""What the tests of `checked` share: a schema, values, and the message of a refused call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import state
from typedstate import StateTypeError, TypedState
from typedstate._compat import variables

T = TypeVar("T")


class SquareState(TypedState):
    kernel: nnx.Param[Float[Array, "d d"]]
    bias: nnx.Param[Float[Array, "d"]]


def linear(din: int = 2, dout: int = 3) -> nnx.Linear:
    return nnx.Linear(din, dout, rngs=nnx.Rngs(0))


def ones(shape: int | tuple[int, ...]) -> jax.Array:
    """An array that nothing is compiled for."""
    return jnp.asarray(np.ones(shape, np.float32))


def linear_state(din: int = 2, dout: int = 3) -> Any:
    return state({"kernel": nnx.Param(ones((din, dout))), "bias": nnx.Param(ones(dout))})


def shape_of(params: Any) -> tuple[int, ...]:
    """The shape of the kernel."""
    return variables.raw_value(params["kernel"]).shape


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The message of a call that is refused, twice, as the second time is no other."""
    with pytest.raises(StateTypeError) as first:
        call(*args, **kwargs)
    with pytest.raises(StateTypeError) as second:
        call(*args, **kwargs)
    assert str(first.value) == str(second.value)
    return str(first.value)


def first_line(message: str) -> str:
    return message.splitlines()[1].strip()
