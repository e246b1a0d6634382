"""Code is generated for the second value of a hint: many see but one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import state
from typedstate import TypedState, checked, fits, source_of


@pytest.fixture(autouse=True)
def policy() -> None:
    """Not here: this is what users get."""


def linear(n: int) -> Any:
    return state({"kernel": nnx.Param(jnp.ones((n, n)))})


def test_code_is_generated_for_the_second_value(generated: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    assert fits(linear(2), LinearState)
    assert (generated, source_of(LinearState)) == ([], "")
    assert not fits(state({}), LinearState)
    assert isinstance(linear(3), LinearState)
    assert len(generated) == 1
    assert "def like0" in source_of(LinearState)
    assert isinstance(linear(4), LinearState)
    assert not fits(state({"kernel": nnx.Param(jnp.ones((2, 3)))}), LinearState)
    assert len(generated) == 1


def test_what_was_refused_is_no_value(generated: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    for _ in range(3):
        assert not fits(state({}), LinearState)
    assert fits(linear(2), LinearState)
    assert generated == []


def test_a_function_that_is_traced_once_has_no_code(generated: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    @jax.jit
    @checked
    def double(params: LinearState, x: Float[Array, "n"]) -> LinearState:
        return jax.tree.map(lambda leaf: 2 * leaf, params)

    for _ in range(3):
        double(linear(2), jnp.ones(2))
    assert generated == []
    double(linear(3), jnp.ones(3))  # a second trace: code for both arguments and the result
    assert len(generated) == 3
    double(linear(4), jnp.ones(4))
    assert len(generated) == 3


def test_a_call_is_enforced_with_and_without_code(generated: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    @checked
    def same(params: LinearState, x: Float[Array, "n"]) -> Float[Array, "n"]:
        return result

    for counted in (0, 3, 3):
        result = jnp.ones(2)
        same(linear(2), jnp.ones(2))
        assert len(generated) == counted
        with pytest.raises(TypeError, match=r"x: n is 3, but n=2 from params.kernel, axis 0"):
            same(linear(2), jnp.ones(3))
        result = jnp.ones(4)
        with pytest.raises(TypeError, match=r"return: n is 4, but n=2 from params.kernel, axis 0"):
            same(linear(2), jnp.ones(2))
