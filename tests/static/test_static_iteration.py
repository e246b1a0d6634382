"""Maps and scans keep the signature of a function or a class, loops the type of their value."""

from typing import assert_type

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from flax.nnx import filterlib
from static_check import check

Axis = int | type[nnx.Carry] | None
PARAMS_ALONE = nnx.StateAxes({nnx.Param: 0, ...: None})


class Layer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(2, 2, rngs=rngs)
        self.steps = nnx.BatchStat(jnp.zeros(()))

    @nnx.vmap(in_axes=(None, 0))
    def of_each(self, x: jax.Array) -> jax.Array:
        return self.linear(x)


Pair = tuple[Layer, jax.Array]


@nnx.split_rngs(splits=3)
@nnx.vmap(out_axes=PARAMS_ALONE)
def layers(rngs: nnx.Rngs) -> Layer:
    return Layer(rngs)


@nnx.scan(in_axes=(nnx.Carry, PARAMS_ALONE), out_axes=nnx.Carry)
def through(x: jax.Array, layer: Layer) -> jax.Array:
    return layer.linear(x)


def test_axes_of_states() -> None:
    """What Flax's own annotation takes and a checker did not read: several kinds of filter in one
    display, and a mapping that a variable holds."""
    held = {nnx.Param: 0}
    by_name: dict[str, Axis] = {"kernel": nnx.Carry}
    axes = nnx.StateAxes({"steps": nnx.Carry, nnx.Param: 0, ...: None})
    check(assert_type(nnx.StateAxes(held), nnx.StateAxes), nnx.StateAxes)
    check(assert_type(nnx.StateAxes(by_name), nnx.StateAxes), nnx.StateAxes)
    check(
        assert_type(nnx.StateAxes([(nnx.Not(nnx.Param), None), (..., 0)]), nnx.StateAxes),
        nnx.StateAxes,
    )
    numbers = nnx.State({"linear": nnx.State({"kernel": 0, "bias": None})})
    check(assert_type(nnx.StateAxes(numbers), nnx.StateAxes), nnx.StateAxes)
    check(assert_type(nnx.StateSharding({nnx.Param: "a", ...: None}), nnx.StateSharding), object)
    check(assert_type(nnx.StateSharding(held), nnx.StateSharding), nnx.StateSharding)
    check(assert_type(axes.filters, tuple[filterlib.Filter, ...]), tuple)
    check(assert_type(axes.axes, tuple[Axis, ...]), tuple)
    check(assert_type(list(axes.items()), list[tuple[filterlib.Filter, Axis]]), list)
    check(assert_type(list(axes), list[filterlib.Filter]), list)
    check(assert_type(axes["steps"], Axis), type)
    path: tuple[str, ...] = ("linear", "kernel")
    check(assert_type(axes.map_prefix(path, nnx.Param(jnp.zeros(()))), Axis), int)


def test_vmap() -> None:
    check(assert_type(layers(nnx.Rngs(0)), Layer), Layer)
    check(assert_type(nnx.vmap(Layer, in_axes=None, axis_size=3)(nnx.Rngs(0)), Layer), Layer)
    check(assert_type(Layer(nnx.Rngs(0)).of_each(jnp.ones((3, 2))), jax.Array), jax.Array)
    check(
        assert_type(
            nnx.vmap(through, in_axes=(0, None))(jnp.ones((4, 2)), layers(nnx.Rngs(0))), jax.Array
        ),
        jax.Array,
    )


def applied(layer: Layer, x: jax.Array) -> jax.Array:
    return layer.linear(x)


def added(total: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return total + x, total


def test_pmap_and_scan() -> None:
    layer, x = Layer(nnx.Rngs(0)), jnp.ones((1, 2))
    check(assert_type(nnx.pmap(applied, in_axes=(None, 0))(layer, x), jax.Array), jax.Array)
    check(assert_type(through(jnp.ones(2), layers(nnx.Rngs(0))), jax.Array), jax.Array)
    check(
        assert_type(nnx.scan(added)(jnp.zeros(()), jnp.arange(3.0)), tuple[jax.Array, jax.Array]),
        tuple,
        jax.Array,
        jax.Array,
    )


def test_loops() -> None:
    """A function may take the index of `fori_loop` for what it is, an array, or for Flax's `int`."""
    start = Layer(nnx.Rngs(0)), jnp.ones(2)

    def once(value: Pair) -> Pair:
        return value[0], value[0].linear(value[1])

    def by_array(index: jax.Array, value: Pair) -> Pair:
        return value[0], value[1] + index.astype(jnp.float32)

    def by_int(index: int, value: Pair) -> Pair:
        return value[0], value[1] * index

    check(assert_type(nnx.fori_loop(0, 2, by_array, start), Pair), tuple, Layer, jax.Array)
    check(assert_type(nnx.fori_loop(0, jnp.array(2), by_int, start), Pair), tuple)
    check(
        assert_type(nnx.while_loop(lambda value: value[1].sum() < 1, once, start), Pair),
        tuple,
        Layer,
        jax.Array,
    )


@pytest.mark.skipif(not hasattr(nnx, "transform_metadata"), reason="came with a later Flax")
def test_transform_metadata() -> None:
    layer, x = Layer(nnx.Rngs(0)), jnp.ones((1, 2))
    annotated = nnx.transform_metadata(partition="layers")
    check(assert_type(annotated(applied)(layer, x), jax.Array), jax.Array)
    check(
        assert_type(nnx.transform_metadata(applied, partition=None)(layer, x), jax.Array), jax.Array
    )
