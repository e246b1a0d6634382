"""Code is generated for the second value of a hint: many see but one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float
from zoo import state

from typedstate import TypedState, checked, fits, late, source_of


@pytest.fixture(autouse=True)
def code_for_the_first() -> None:
    """Not here: this is what users get."""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of the code that is generated during a test."""
    found: list[str] = []
    generate = late.generate

    def counted(value: Any, reading: Any, name: str) -> Any:
        found.append(name)
        return generate(value, reading, name)

    monkeypatch.setattr(late, "generate", counted)
    return found


def linear(n: int) -> Any:
    return state({"kernel": nnx.Param(jnp.ones((n, n)))})


def test_code_is_generated_for_the_second_value(names: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    assert fits(linear(2), LinearState)
    assert (names, source_of(LinearState)) == ([], "")
    assert not fits(state({}), LinearState)
    assert isinstance(linear(3), LinearState)
    assert len(names) == 1
    assert "def like0" in source_of(LinearState)
    assert isinstance(linear(4), LinearState)
    assert not fits(state({"kernel": nnx.Param(jnp.ones((2, 3)))}), LinearState)
    assert len(names) == 1


def test_what_was_refused_is_no_value(names: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    for _ in range(3):
        assert not fits(state({}), LinearState)
    assert fits(linear(2), LinearState)
    assert names == []


def test_a_function_that_is_traced_once_has_no_code(names: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    @jax.jit
    @checked
    def double(params: LinearState, x: Float[Array, "n"]) -> LinearState:
        return jax.tree.map(lambda leaf: 2 * leaf, params)

    for _ in range(3):
        double(linear(2), jnp.ones(2))
    assert names == []
    double(linear(3), jnp.ones(3))  # a second trace: code for both arguments and the result
    assert len(names) == 3
    double(linear(4), jnp.ones(4))
    assert len(names) == 3


def test_a_call_is_enforced_with_and_without_code(names: list[str]) -> None:
    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    @checked
    def same(params: LinearState, x: Float[Array, "n"]) -> Float[Array, "n"]:
        return result

    for counted in (0, 3, 3):
        result = jnp.ones(2)
        same(linear(2), jnp.ones(2))
        assert len(names) == counted
        with pytest.raises(TypeError, match=r"x: n is 3, but n=2 from params.kernel, axis 0"):
            same(linear(2), jnp.ones(3))
        result = jnp.ones(4)
        with pytest.raises(TypeError, match=r"return: n is 4, but n=2 from params.kernel, axis 0"):
            same(linear(2), jnp.ones(2))
