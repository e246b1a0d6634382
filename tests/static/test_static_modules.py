"""What modules, layers, metrics and Flax's own transforms give, to every checker."""

from collections.abc import Callable
from typing import Any, assert_type

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import PathParts
from static_check import check
from static_models import Leaf

Param = nnx.Param[jax.Array]
Captured = tuple[jax.Array, nnx.State[Any, Leaf]]


class Model(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(4, 2, rngs=rngs)
        self.linear = nnx.Linear(2, 2, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.linear(x)

    def doubled(self, x: jax.Array) -> jax.Array:
        return 2 * self.linear(x)

    def sowing(self, x: jax.Array) -> jax.Array:
        assert self.sow(nnx.Intermediate, "seen", x)
        return x

    def perturbed(self, x: jax.Array) -> jax.Array:
        return self.perturb("grad", x)

    @nnx.jit
    def step(self, x: jax.Array, scale: float = 1.0) -> jax.Array:
        return self(x) * scale

    @nnx.jit(static_argnames="times")
    def repeated(self, x: jax.Array, *, times: int = 1) -> jax.Array:
        return self(x) * times


@nnx.jit
def apply(model: Model, x: jax.Array) -> tuple[jax.Array, Model]:
    return model(x), model


def first(xs: jax.Array) -> jax.Array:
    return xs[0]


def model() -> Model:
    return Model(nnx.Rngs(0))


x = jnp.ones((3, 2))


def test_a_jitted_function_keeps_its_signature() -> None:
    check(assert_type(apply(model(), x), tuple[jax.Array, Model]), tuple)
    check(assert_type(nnx.jit(first)(x), jax.Array), jax.Array)
    check(assert_type(nnx.jit(inline=True)(first)(x), jax.Array), jax.Array)
    sharding: Any = jax.sharding  # a PartitionSpec is untyped to mypy
    spec = sharding.PartitionSpec()
    mesh = jax.make_mesh((1,), ("x",))
    sharded = nnx.shard_map(mesh=mesh, in_specs=(spec,), out_specs=spec)
    check(assert_type(sharded(first)(x), jax.Array), jax.Array)
    check(
        assert_type(
            nnx.shard_map(first, mesh=mesh, in_specs=(spec,), out_specs=spec)(x), jax.Array
        ),
        jax.Array,
    )
    lowered = apply.lower(model(), x)
    check(assert_type(lowered.as_text(), str), str)
    check(assert_type(apply.trace(model(), x).lower().as_text(), str), str)
    check(assert_type(apply.eval_shape(model(), x)[1], Model), Model)
    check(assert_type(lowered.compile().as_text(), str | None), str)


def test_a_jitted_method_too() -> None:
    check(assert_type(model().step(x), jax.Array), jax.Array)
    check(assert_type(model().step(x, 2.0), jax.Array), jax.Array)
    check(assert_type(model().repeated(x, times=2), jax.Array), jax.Array)
    check(assert_type(Model.step(model(), x), jax.Array), jax.Array)


def test_modules() -> None:
    found = model()
    found.train()
    found.eval()
    found.set_attributes(deterministic=False)
    check(assert_type(found.sow(nnx.Intermediate, "seen", x), bool), bool)
    check(assert_type(found.perturb("grad", x), jax.Array), jax.Array)
    check(assert_type(nnx.view(found, deterministic=True), Model), Model)
    check(assert_type(nnx.with_attributes(found, deterministic=True), Model), Model)
    check(assert_type(nnx.view_info(found), str), str)
    check(assert_type(next(nnx.iter_modules(found)), tuple[PathParts, nnx.Module]), tuple)


def test_capture() -> None:
    found = model()
    check(assert_type(nnx.capture(Model.sowing, nnx.Intermediate)(found, x), Captured), tuple)
    check(assert_type(nnx.capture(nnx.Intermediate)(Model.sowing)(found, x), Captured), tuple)


def test_layers() -> None:
    found = model()
    check(assert_type(found.linear.kernel, Param), nnx.Param)
    check(assert_type(found.linear.bias, Param | None), nnx.Param)
    check(assert_type(found.embed.embedding, Param), nnx.Param)
    check(assert_type(found.embed(jnp.zeros(3, int)), jax.Array), jax.Array)
    check(assert_type(found.embed.attend(x), jax.Array), jax.Array)
    image = jnp.ones((1, 4, 4, 2))
    conv = nnx.Conv(2, 3, (2, 2), rngs=nnx.Rngs(0))
    check(assert_type(conv(image), jax.Array), jax.Array)
    check(assert_type(conv.kernel_size, tuple[int, ...]), tuple)
    check(assert_type(nnx.max_pool(image, (2, 2)), jax.Array), jax.Array)
    check(assert_type(nnx.min_pool(image, (2, 2), strides=(2, 2)), jax.Array), jax.Array)
    check(assert_type(nnx.avg_pool(image, (2, 2), padding="SAME"), jax.Array), jax.Array)
    check(
        assert_type(nnx.pool(image, 0.0, jax.lax.add, (2, 2), None, "VALID"), jax.Array), jax.Array
    )


def test_branches() -> None:
    found, yes = model(), jnp.array(True)
    check(assert_type(nnx.cond(yes, first, first, x), jax.Array), jax.Array)
    check(assert_type(nnx.cond(yes, Model.__call__, Model.doubled, found, x), jax.Array), jax.Array)
    check(assert_type(nnx.switch(0, [first, first], x), jax.Array), jax.Array)


def test_shapes_and_errors() -> None:
    check(assert_type(nnx.eval_shape(model), Model), Model)
    check(assert_type(nnx.checkify(first)(x)[1], jax.Array), jax.Array)
    check(
        assert_type(nnx.make_jaxpr(first, graph_updates=False), Callable[..., Any]),
        object,
    )


def test_metrics() -> None:
    average = nnx.metrics.Average("loss")
    average.update(loss=x)
    check(assert_type(average.compute(), jax.Array), jax.Array)
    welford = nnx.metrics.Welford("loss")
    welford.update(loss=x)
    welford.reset()
    check(assert_type(welford.compute().mean, jax.Array), jax.Array)
    accuracy = nnx.metrics.Accuracy()
    accuracy.update(logits=x, labels=jnp.zeros(3, int))
    several = nnx.MultiMetric(loss=average, accuracy=accuracy)
    several.reset()
    check(assert_type(several.compute(), dict[str, Any]), dict)


def test_partial() -> None:
    check(assert_type(nnx.jit_partial(first, x, graph_updates=False)(), jax.Array), jax.Array)
