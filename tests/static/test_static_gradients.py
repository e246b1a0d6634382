"""Gradients are known by the first argument of the call, to every checker."""

from typing import Any, assert_type

import jax
import jax.numpy as jnp
from flax import nnx
from static_check import Of, check

Param = nnx.Param[jax.Array]


class Model(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(2, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)


def loss(model: Model, x: jax.Array) -> jax.Array:
    return model.linear(x).sum()


def loss_and_size(model: Model, x: jax.Array) -> tuple[jax.Array, int]:
    return model.linear(x).sum(), 3


def total(params: nnx.State[str, Param], scale: float) -> jax.Array:
    return jnp.asarray(scale) * sum(jnp.sum(leaf) for leaf in jax.tree.leaves(params))


def square(x: jax.Array) -> jax.Array:
    return (x**2).sum()


@nnx.value_and_grad
def decorated(model: Model) -> jax.Array:
    return model.linear(jnp.ones((1, 2))).sum()


def test_gradients_by_a_module() -> None:
    model, x = Model(nnx.Rngs(0)), jnp.ones((1, 2))
    state = Of(nnx.State, nnx.Param)
    check(assert_type(nnx.grad(loss)(model, x), nnx.State[Any, Param]), state)
    value, grads = nnx.value_and_grad(loss)(model, x)
    check(assert_type(value, jax.Array), jax.Array)
    check(assert_type(grads, nnx.State[Any, Param]), state)
    (_, size), grads = nnx.value_and_grad(loss_and_size, has_aux=True)(model, x)
    assert_type(size, int)
    check(assert_type(grads, nnx.State[Any, Param]), state)
    check(assert_type(decorated(model)[1], nnx.State[Any, Param]), state)


def test_gradients_by_a_state_and_an_array() -> None:
    params: nnx.State[str, Param] = nnx.state(Model(nnx.Rngs(0)), nnx.Param)
    check(
        assert_type(nnx.grad(total)(params, 2.0), nnx.State[str, Param]), Of(nnx.State, nnx.Param)
    )
    check(assert_type(nnx.grad(square)(jnp.ones(3)), jax.Array), jax.Array)
