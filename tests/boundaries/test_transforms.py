"""`checked` above and below the transforms of JAX and Flax."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.boundaries.helpers import linear, linear_state, ones, refused
from tests.zoo import LinearState
from typedstate import TypedStateWarning, checked


@pytest.mark.parametrize("above", [True, False], ids=["checked above", "checked below"])
@pytest.mark.parametrize("transform", [jax.jit, nnx.jit, jax.custom_vjp])
def test_transforms_that_keep_values(transform: Any, above: bool) -> None:
    traced: list[int] = []

    def loss(params: LinearState, x: Float[Array, "b din"]) -> Float[Array, ""]:
        traced.append(1)
        return (x @ params["kernel"][...]).sum()

    if transform is jax.custom_vjp:
        transformed = transform(loss if above else checked(loss))
        transformed.defvjp(lambda p, x: (loss(p, x), (p, x)), lambda kept, g: kept)
    else:
        transformed = transform(loss if above else checked(loss))
    function = checked(transformed) if above else transformed
    x = ones((4, 2))
    for _ in range(3):
        assert function(linear_state(), x).shape == ()
    if transform is not jax.custom_vjp:
        assert len(traced) == 1
    refused(function, linear_state(), ones((4, 3)))
    refused(function, linear_state(), x=ones((4, 3)))


def test_static_arguments_of_a_jitted_function() -> None:
    @checked
    @functools.partial(jax.jit, static_argnames=("flag", "n"))
    def use(x: Float[Array, "d"], flag: bool = True, *, n: int = 3) -> Float[Array, "n"]:
        return ones(n) if flag else x

    assert use(ones(2)).shape == (3,)
    assert use(ones(2), False).shape == (2,)
    assert use(ones(2), flag=True, n=4).shape == (4,)
    refused(use, ones(2), 1)
    assert use.lower(ones(2)).compile() is not None


@pytest.mark.parametrize("transform", [jax.grad, jax.value_and_grad, jax.checkpoint])
def test_gradients(transform: Any) -> None:
    @checked
    def loss(x: Float[Array, "din"], params: LinearState) -> Float[Array, ""]:
        assert isinstance(x, Float[Array, "din"])
        return (x @ params["kernel"][...]).sum() ** 2

    transform(loss)(ones(2), linear_state())
    jax.jit(transform(loss))(ones(2), linear_state())
    refused(transform(loss), ones(3), linear_state())


def test_gradients_of_a_state() -> None:
    @checked
    def loss(params: LinearState, x: Float[Array, "b din"]) -> Float[Array, ""]:
        return (x @ params["kernel"][...] + params["bias"][...]).sum()

    @checked
    def gradient(params: LinearState, x: Float[Array, "b din"]) -> LinearState:
        return jax.grad(loss)(params, x)

    for function in (gradient, jax.jit(gradient)):
        function(linear_state(), ones((4, 2)))
        refused(function, linear_state(), ones((4, 3)))


def test_gradients_of_a_module() -> None:
    @checked
    def loss(
        model: Annotated[nnx.Linear, LinearState], x: Float[Array, "b din"]
    ) -> Float[Array, ""]:
        return model(x).sum()

    @nnx.jit
    @checked
    def step(model: Annotated[nnx.Linear, LinearState], x: Float[Array, "b din"]) -> LinearState:
        value, grads = nnx.value_and_grad(loss)(model, x)
        assert value.shape == ()
        return nnx.grad(loss)(model, x) if x.shape[0] == 1 else grads

    for batch in (4, 4, 1):
        step(linear(), ones((batch, 2)))
    refused(step, linear(), ones((4, 3)))


def test_vmap_and_scan_and_eval_shape() -> None:
    @checked
    def one(params: LinearState, x: Float[Array, "din"]) -> Float[Array, "dout"]:
        return x @ params["kernel"][...] + params["bias"][...]

    @checked
    def body(carry: Float[Array, "d"], x: Float[Array, "d"]) -> tuple[Float[Array, "d"], None]:
        return carry + x, None

    params = linear_state()
    assert jax.vmap(one, in_axes=(None, 0))(params, ones((4, 2))).shape == (4, 3)
    stacked = jax.tree.map(lambda a: jnp.stack([a, a]), params)
    assert jax.vmap(one)(stacked, ones((2, 2))).shape == (2, 3)
    refused(jax.vmap(one, in_axes=(None, 0)), params, ones((4, 5)))
    assert jax.eval_shape(one, params, ones(2)).shape == (3,)
    refused(jax.eval_shape, one, params, ones(3))
    assert jax.lax.scan(body, ones(3), ones((5, 3)))[0].shape == (3,)
    refused(jax.lax.scan, body, ones(3), ones((5, 4)))
    assert nnx.vmap(one, in_axes=(None, 0))(params, ones((4, 2))).shape == (4, 3)


@pytest.mark.parametrize("transform", [jax.grad, jax.value_and_grad, jax.vmap, nnx.vmap])
def test_above_a_transform_that_changes_values_nothing_is_enforced(transform: Any) -> None:
    def loss(x: Float[Array, "d"]) -> Float[Array, ""]:
        return (x**2).sum()

    transformed = transform(loss)
    with pytest.warns(TypedStateWarning) as caught:
        assert checked(transformed) is transformed
    name = loss.__qualname__
    assert str(caught[0].message) == (
        f"{name} is not enforced: its values may differ from its annotations above this "
        "decorator, put @checked below it"
    )
    assert caught[0].filename == __file__
