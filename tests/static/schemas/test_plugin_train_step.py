"""A state's type through a whole train step, of a model without a schema, and that it is true.

The step is that of a language model: the loss of a batch, gradients, an optimizer, a moving average
of the parameters, evaluation, and the state that a checkpoint takes and gives back.
"""

from functools import partial
from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]
from flax import nnx
from plugin_train_models import (
    Block,
    Net,
    Params,
    Teacher,
    decayed,
    loss,
    loss_and_logits,
    net,
    squares,
    teacher_loss,
)
from schema_models import LinearState, linear_state, seen

from typedstate import Abstract

Param = nnx.Param[jax.Array]
Array = jax.Array
Shape = jax.ShapeDtypeStruct


def tokens() -> Array:
    return jnp.zeros((1, 3), dtype=jnp.int32)


@nnx.jit
def train_step(model: Net, optimizer: nnx.Optimizer[Net], batch: Array) -> Array:
    value, grads = nnx.value_and_grad(loss)(model, batch)
    seen(assert_type(value, Array), jax.Array)
    assert_type(grads, nnx.State[Any, Param])
    seen(assert_type(grads["blocks"][0]["attn"]["query"]["kernel"], Param), nnx.Param)
    clipped = jax.tree.map(lambda g: jnp.clip(g, -1.0, 1.0), grads)
    seen(assert_type(clipped["embed"]["embedding"], Param), nnx.Param)
    optimizer.update(model, clipped)
    return value


@partial(jax.jit, static_argnames=("power",))
def averaged(old: Params, new: Params, rate: float, power: int) -> Params:
    step = rate**power
    return assert_type(
        jax.tree.map(lambda a, b: a + step * (b - a), old, new), nnx.State[Any, Param]
    )


def test_a_step() -> None:
    model = net()
    optimizer = nnx.Optimizer(model, optax.adamw(1e-3), wrt=nnx.Param)
    before = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))
    seen(assert_type(train_step(model, optimizer, tokens()), Array), jax.Array)
    params = nnx.state(model, nnx.Param)
    average = averaged(before, params, 0.5, power=2)
    assert_type(average, nnx.State[Any, Param])
    seen(average["head"]["kernel"], nnx.Param)


def test_gradients() -> None:
    model = net()
    (value, logits), grads = nnx.value_and_grad(loss_and_logits, has_aux=True)(model, tokens())
    seen(assert_type(value, Array), jax.Array)
    seen(assert_type(logits, Array), jax.Array)
    seen(assert_type(grads["head"]["kernel"], Param), nnx.Param)
    stats = nnx.grad(loss, argnums=nnx.DiffState(0, nnx.BatchStat))(model, tokens())
    mean = stats["blocks"][1]["norm"]["mean"]
    seen(assert_type(mean, nnx.BatchStat[Array]), nnx.BatchStat)
    of_tree = nnx.grad(teacher_loss, graph=False)
    seen(assert_type(of_tree(Teacher(nnx.Rngs(0)), tokens()), Teacher), Teacher)
    params = nnx.state(model, nnx.Param)
    by_state = jax.grad(squares)(params, jnp.ones(()))
    seen(assert_type(by_state, nnx.State[Any, Param]), nnx.State)
    first, second = jax.grad(squares, argnums=(0, 1))(params, jnp.ones(()))
    assert_type(first, nnx.State[Any, Param])
    seen(assert_type(second, Array), jax.Array)
    result, back = jax.vjp(squares, params, jnp.ones(()))
    seen(assert_type(result, Array), jax.Array)
    assert_type(back(result)[0], nnx.State[Any, Param])


@partial(nnx.jit, static_argnames=("times",))
def repeated(model: Net, batch: Array, times: int) -> Array:
    return times * loss(model, batch)


def test_gradients_of_functions_without_annotations() -> None:
    model, batch = net(), tokens()
    grads = nnx.grad(lambda m: loss(m, batch))(model)
    assert_type(grads, nnx.State[Any, Param])
    seen(assert_type(grads["blocks"][0]["attn"]["query"]["kernel"], Param), nnx.Param)
    seen(assert_type(nnx.value_and_grad(lambda m: loss(m, batch))(model)[0], Array), jax.Array)
    with_aux = nnx.value_and_grad(lambda m: loss_and_logits(m, batch), has_aux=True)
    (value, logits), grads = with_aux(model)
    seen(assert_type(value, Array), jax.Array)
    seen(assert_type(logits, Array), jax.Array)
    seen(assert_type(grads["head"]["kernel"], Param), nnx.Param)
    params = nnx.state(model, nnx.Param)
    value, by_state = jax.value_and_grad(lambda p: squares(p, jnp.ones(())))(params)
    seen(assert_type(value, Array), jax.Array)
    seen(assert_type(by_state["head"]["kernel"], Param), nnx.Param)
    seen(assert_type(jax.grad(lambda x: x**2)(jnp.ones(())), Array), jax.Array)
    seen(assert_type(repeated(model, batch, times=2), Array), jax.Array)


def test_functions_over_trees() -> None:
    params = nnx.state(net(), nnx.Param)
    assert_type(jax.device_put(params), nnx.State[Any, Param])
    assert_type(jax.lax.stop_gradient(params), nnx.State[Any, Param])
    finite = jax.tree.map(jnp.isfinite, params)
    seen(assert_type(finite["head"]["kernel"], Param), nnx.Param)
    named = jax.tree.map_with_path(lambda path, x: x * len(path), params)
    seen(assert_type(named["head"]["kernel"], Param), nnx.Param)
    shapes = jax.tree.map(lambda x: x.shape, params)
    seen(assert_type(shapes["head"]["kernel"], nnx.Param[tuple[int, ...]]), nnx.Param)
    on_host = jax.device_get(params)["head"]["kernel"]
    seen(assert_type(on_host, nnx.Param[np.ndarray[Any, Any]]), nnx.Param)
    seen(assert_type(jax.tree.leaves(params)[0], Array), jax.Array)
    abstract = jax.eval_shape(lambda: params)
    seen(assert_type(abstract["head"]["kernel"], nnx.Param[Shape]), nnx.Param)
    assert_type(nnx.eval_shape(net), Net)
    whole = jax.tree.map(
        lambda v: v.replace(v[...]), params, is_leaf=lambda x: isinstance(x, nnx.Variable)
    )
    assert isinstance(whole, nnx.State)


def test_loops_and_branches() -> None:
    params = nnx.state(net(), nnx.Param)
    carry, rates = jax.lax.scan(decayed, params, jnp.ones(3))
    seen(assert_type(carry["head"]["kernel"], Param), nnx.Param)
    seen(assert_type(rates, Array), jax.Array)
    looped = jax.lax.fori_loop(0, 2, lambda _, p: p, params)
    seen(assert_type(looped["head"]["kernel"], Param), nnx.Param)
    assert_type(jax.checkpoint(squares)(params, jnp.ones(())), Array)


def test_a_checkpoint() -> None:
    model = net()
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    pure = nnx.to_pure_dict(params)
    seen(assert_type(pure["head"]["kernel"], Array), jax.Array)
    restored = nnx.merge(graphdef, params, rest)
    assert_type(restored, Net)
    seen(assert_type(restored.blocks[0], Block), Block)
    for _, leaf in nnx.to_flat_state(rest):
        assert_type(leaf, nnx.BatchStat[Array] | nnx.Cache[Array] | nnx.RngCount | nnx.RngKey)
        assert isinstance(leaf, nnx.BatchStat | nnx.Cache | nnx.RngState)


def test_a_schema_goes_the_same_way() -> None:
    state = linear_state()
    assert_type(jax.tree.map(lambda x: 2 * x, state), LinearState)
    assert_type(jax.device_put(state), LinearState)
    abstract = jax.eval_shape(lambda: state)
    assert_type(abstract, Abstract[LinearState])
    seen(assert_type(abstract["kernel"], nnx.Param[Shape]), nnx.Param)
    host = jax.device_get(state)
    seen(assert_type(host["kernel"], nnx.Param[np.ndarray[Any, Any]]), nnx.Param)
