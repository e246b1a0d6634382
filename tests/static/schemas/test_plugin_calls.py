"""One call in several spellings: bound beforehand, spread, with trees in containers or abstract ones."""

import functools
from functools import partial
from typing import Any, NamedTuple, assert_type

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
    loss,
    loss_and_logits,
    net,
    squares,
    teacher_loss,
)
from schema_models import ModelState, model_state, seen

Param = nnx.Param[jax.Array]
Array = jax.Array


def tokens() -> Array:
    return jnp.zeros((1, 3), dtype=jnp.int32)


@partial(nnx.value_and_grad, has_aux=True)
def decorated(model: Net, batch: Array) -> tuple[Array, Array]:
    return loss_and_logits(model, batch)


@partial(nnx.jit, static_argnames=("times",))
@partial(nnx.value_and_grad, has_aux=True)
def jitted(model: Net, batch: Array, times: int) -> tuple[Array, Array]:
    return loss_and_logits(model, batch)


class Remat(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.inner = nnx.Linear(2, 2, rngs=rngs)

    @partial(nnx.remat, static_argnums=(2,))
    def __call__(self, x: Array, twice: bool) -> Array:
        return self.inner(self.inner(x)) if twice else self.inner(x)


class Jitted(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.inner = nnx.Linear(2, 2, rngs=rngs)

    @staticmethod
    @nnx.jit
    def of_layer(layer: nnx.Linear, x: Array) -> Array:
        return layer(x)

    @nnx.jit
    def of_itself(self, x: Array) -> Array:
        return self.inner(x)


def test_jitted_methods_and_static_ones() -> None:
    model, x = Jitted(nnx.Rngs(0)), jnp.ones((1, 2))
    seen(assert_type(model.of_layer(model.inner, x), Array), jax.Array)
    seen(assert_type(Jitted.of_layer(model.inner, x), Array), jax.Array)
    seen(assert_type(model.of_itself(x), Array), jax.Array)


def test_arguments_that_were_bound_before() -> None:
    model, batch = net(), tokens()
    (value, logits), grads = decorated(model, batch)
    seen(assert_type(value, Array), jax.Array)
    seen(assert_type(logits, Array), jax.Array)
    seen(assert_type(grads["head"]["kernel"], Param), nnx.Param)
    (value, _), grads = jitted(model, batch, times=2)
    seen(assert_type(value, Array), jax.Array)
    assert_type(grads, nnx.State[Any, Param])
    params = nnx.state(model, nnx.Param)
    by_scale = functools.partial(jax.grad, argnums=1)(squares)(params, jnp.ones(()))
    seen(assert_type(by_scale, Array), jax.Array)
    stats = partial(nnx.grad, argnums=nnx.DiffState(0, nnx.BatchStat))(loss)(model, batch)
    seen(assert_type(stats["blocks"][0]["norm"]["mean"], nnx.BatchStat[Array]), nnx.BatchStat)
    doubled = partial(jax.tree.map, lambda x: 2 * x)(params)
    seen(assert_type(doubled["head"]["kernel"], Param), nnx.Param)
    seen(assert_type(Remat(nnx.Rngs(0))(jnp.ones((1, 2)), True), Array), jax.Array)


def test_what_was_bound_elsewhere_is_not_known() -> None:
    model, batch = net(), tokens()
    of_aux = partial(nnx.value_and_grad, has_aux=True)
    (value, _), _ = of_aux(loss_and_logits)(model, batch)
    seen(assert_type(value, Any), jax.Array)
    of_loss = partial(nnx.grad, loss_and_logits)
    seen(assert_type(of_loss(has_aux=True)(model, batch), Any), tuple)


def test_spread_arguments() -> None:
    model, batch = net(), tokens()
    params = nnx.state(model, nnx.Param)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[params, params])
    seen(assert_type(stacked, Any), nnx.State)
    options: dict[str, Any] = {"has_aux": True}
    (value, _), _ = nnx.value_and_grad(loss_and_logits, **options)(model, batch)
    seen(assert_type(value, Any), jax.Array)
    optimizer = nnx.Optimizer(model, optax.sgd(1e-3), wrt=nnx.Param)
    given = (model, nnx.grad(loss)(model, batch))
    optimizer.update(*given)


def both(models: tuple[Net, Teacher], batch: Array) -> Array:
    return loss(models[0], batch) + teacher_loss(models[1], batch)


def listed(models: list[Teacher], batch: Array) -> Array:
    return teacher_loss(models[0], batch)


def test_gradients_by_several_modules() -> None:
    models, batch = (net(), Teacher(nnx.Rngs(0))), tokens()
    grads = nnx.grad(both)(models, batch)
    seen(assert_type(grads[1], nnx.State[Any, Param]), nnx.State)
    seen(assert_type(grads[0]["head"]["kernel"], Param), nnx.Param)
    seen(assert_type(grads[1]["table"], Param), nnx.Param)
    of_list = nnx.grad(listed)([models[1]], batch)
    seen(assert_type(of_list[0]["table"], Param), nnx.Param)
    of_lambda = nnx.grad(lambda m: both(m, batch))(models)
    seen(assert_type(of_lambda[1]["table"], Param), nnx.Param)
    optimizer = nnx.Optimizer(models, optax.sgd(1e-3), wrt=nnx.Param)
    optimizer.update(models, grads)


def with_bare_optimizer(optimizer: nnx.Optimizer[Any], batch: Array) -> None:
    models = (net(), Teacher(nnx.Rngs(0)))
    optimizer.update(models, nnx.grad(both)(models, batch))


def test_abstract_modules_hold_anything() -> None:
    abstract = nnx.eval_shape(net)
    assert_type(abstract, Net)
    graphdef, params, rest = nnx.split(abstract, nnx.Param, ...)
    assert_type(params, nnx.State[Any, nnx.Param[Any]])
    leaf = params["head"]["kernel"]
    seen(assert_type(leaf, nnx.Param[Any]), nnx.Param)
    seen(leaf.get_value(), jax.ShapeDtypeStruct)
    seen(assert_type(rest["blocks"][0]["norm"]["mean"], nnx.BatchStat[Any]), nnx.BatchStat)
    nnx.update(abstract, nnx.state(net()))
    seen(nnx.state(abstract)["head"]["kernel"].get_value(), jax.Array)
    params = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), params)
    merged = nnx.merge(graphdef, params, nnx.state(net(), nnx.Not(nnx.Param)))
    assert_type(merged, Net)
    seen(assert_type(nnx.state(merged)["head"]["kernel"], Param), nnx.Param)
    shapes = jax.tree.map(lambda x: x.shape, Teacher(nnx.Rngs(0)))
    assert_type(shapes, Teacher)
    seen(assert_type(nnx.state(shapes)["table"], nnx.Param[Any]), nnx.Param)


class Pair(NamedTuple):
    left: Array
    right: Array


def test_functions_that_give_arrays() -> None:
    one = jax.lax.optimization_barrier(1.5)  # type: ignore[no-untyped-call]
    seen(assert_type(one, Array), jax.Array)
    both = jax.lax.optimization_barrier((1, np.ones(2)))  # type: ignore[no-untyped-call]
    assert_type(both, tuple[Array, Array])
    seen(both[1], jax.Array)
    given = Pair(jnp.ones(2), jnp.ones(2))
    pair = jax.lax.optimization_barrier(given)  # type: ignore[no-untyped-call]
    seen(assert_type(pair, Pair), Pair)
    seen(assert_type(nnx.avg_pool(np.ones((1, 2, 2, 3)), (2, 2)), Array), jax.Array)


def test_what_a_loop_carries() -> None:
    pair = jax.lax.fori_loop(0, 2, lambda _, one: one, Pair(jnp.ones(2), jnp.ones(2)))
    seen(assert_type(pair, Pair), Pair)
    count = jax.lax.while_loop(lambda n: n < 3, lambda n: n + 1, 0)
    seen(assert_type(count, Array), jax.Array)
    params = jax.lax.while_loop(lambda _: False, lambda p: p, nnx.state(net(), nnx.Param))
    seen(assert_type(params["head"]["kernel"], Param), nnx.Param)


def double(x: Array) -> Array:
    return 2 * x


def test_a_mapped_function_is_lowered() -> None:
    lowered = jax.pmap(double, axis_name="i").lower(jnp.ones((1, 2)))
    seen(lowered.compile(), object)


def test_a_tree_that_depends_on_a_branch() -> None:
    for whole in (True, False):
        if whole:
            state = nnx.state(net())
            seen(state["head"], nnx.State)
        else:
            state = nnx.state(Teacher(nnx.Rngs(0)))
        seen(state["head"] if whole else state["table"], object)
        if whole:
            pure = nnx.to_pure_dict(nnx.state(net()))
            seen(pure["head"], dict)
        else:
            pure = nnx.to_pure_dict(nnx.state(Teacher(nnx.Rngs(0))))
        seen(pure["head"] if whole else pure["table"], object)
    params: Params = nnx.state(net(), nnx.Param)
    for _ in range(2):
        params = jax.tree.map(lambda x: 2 * x, params)
    seen(params["head"]["kernel"], nnx.Param)


def test_parts_of_a_schema_that_are_merged() -> None:
    params, rest = nnx.split_state(model_state(), nnx.Param, ...)
    whole = nnx.merge_state(params, rest)
    assert_type(whole, ModelState)
    seen(assert_type(whole["temperature"], Array), jax.Array)
    seen(assert_type(whole["blocks"][0]["norm"]["mean"], nnx.BatchStat[Array]), nnx.BatchStat)


def walked(model: Net) -> Any:
    node = nnx.state(model)
    for key in ("head",):
        node = node[key]
    return node["kernel"]


def test_a_key_that_is_asked_for() -> None:
    pure = nnx.to_pure_dict(nnx.state(net(), nnx.Param))
    inner = pure.get("params", pure)
    assert "head" in inner
    if "params" in pure and isinstance(pure["params"], dict):
        inner = pure["params"]
    head = nnx.Linear(2, 2, use_bias=False, rngs=nnx.Rngs(0))
    assert_type(nnx.state(head).get("bias"), None)
    seen(walked(net()), nnx.Param)


def kinds(block: Block) -> None:
    seen(assert_type(nnx.state(block)["norm"]["mean"], nnx.BatchStat[Array]), nnx.BatchStat)
