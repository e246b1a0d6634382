"""Calls of checked functions, and a jitted step with checks inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from beartype import beartype
from flax import nnx
from jaxtyping import Array, Float, jaxtyped

from tests.zoo import LinearState
from tests.zoo.tower import TowerState
from typedstate import (
    checked,
)

from . import models
from .measure import WARM, Effort, measure, once
from .row import Row, count, least, state_of


def calls(effort: Effort) -> Iterator[Row]:
    """What a decorator adds to a small call."""
    state = state_of(nnx.Linear(4, 7, rngs=nnx.Rngs(0)))
    x = jnp.ones((2, 4))
    result = jnp.ones(2)

    def undecorated(state: Any, x: Any) -> Any:
        return result

    @checked
    def ours(state: LinearState, x: Float[Array, "b d"]) -> Float[Array, "b"]:
        return result

    @jaxtyped(typechecker=beartype)
    def theirs(state: Any, x: Float[Array, "b d"]) -> Float[Array, "b"]:
        return result

    works = (lambda: ours(state, x), lambda: theirs(state, x), lambda: undecorated(state, x))
    a, b, c = measure(effort, *works)
    yield Row("@checked f(state, x) -> array", 2, 0.6, a, "jaxtyped(beartype)", b, c)

    def bare(state: Any) -> None: ...

    @checked
    def one(state: LinearState) -> None: ...

    @beartype
    def plain(state: nnx.State[Any, Any]) -> None: ...

    works = (lambda: one(state), lambda: plain(state), lambda: bare(state))
    a, b, c = measure(effort, *works)
    yield Row("@checked f(state)", 2, 1.2, a, "beartype, nnx.State", b, c)
    yield _new_batches(state, effort)


def _new_batches(state: Any, effort: Effort) -> Row:
    """Calls each of which has a batch size that was not seen before."""
    sizes = range(1, 3 + 5 * effort.repeats)
    xs, results = ([np.zeros((n, k), np.float32) for n in sizes] for k in (4, 7))

    def undecorated(state: Any, x: Any) -> Any:
        return results[len(x) - 1]

    @checked
    def ours(
        state: LinearState, x: Float[np.ndarray, "batch din"]
    ) -> Float[np.ndarray, "batch dout"]:
        return results[len(x) - 1]

    @jaxtyped(typechecker=beartype)
    def theirs(state: Any, x: Float[np.ndarray, "batch din"]) -> Float[np.ndarray, "batch dout"]:
        return results[len(x) - 1]

    works = (ours, theirs, undecorated)
    times: list[list[float]] = []
    for turn, x in enumerate(xs):
        found = {work: once(partial(work, state, x)) for work in works[:: 1 if turn % 2 else -1]}
        times.append([found[work] for work in works])
    a, b, c = (least(list(each)) for each in zip(*times[WARM:], strict=True))
    return Row("@checked f(state, x) -> array, new batch", 2, 1.0, a, "jaxtyped(beartype)", b, c)


def step(size: int, effort: Effort) -> Iterator[Row]:
    """A jitted step whose body calls checked functions: nothing is left of them."""
    model = models.tower(size)
    graphdef, state = nnx.split(model)
    x = jnp.ones((8, 4))

    def run(state: Any, x: Any) -> Any:
        for block in nnx.merge(graphdef, state).blocks:
            x = block.down(jax.nn.relu(block.up(x)))
        return x

    hint = checked(_annotated(run))
    ours, base = jax.jit(lambda s, x: hint(s, x)), jax.jit(lambda s, x: run(s, x))
    assert str(jax.make_jaxpr(ours)(state, x)) == str(jax.make_jaxpr(base)(state, x))
    a, b = measure(
        replace(effort, clock=time.perf_counter),  # JAX computes in threads of its own
        lambda: ours(state, x).block_until_ready(),
        lambda: base(state, x).block_until_ready(),
    )
    yield Row("jitted step, checks inside", count(state), 1.1, a, "without checks", b)


def _annotated(run: Callable[..., Any]) -> Callable[..., Any]:
    def body(state: TowerState, x: Float[Array, "b d"]) -> Float[Array, "b d"]:
        return run(state, x)

    return body
