"""A state of tracers is accepted as that of the arrays for which they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float, Key, UInt32

from tests import zoo
from tests.validation.faults import linear, plain
from tests.zoo import LinearState, MlpState
from typedstate import Abstract, Bind, Only, TypedState, explain


class PlainState(TypedState):
    up: Bind[LinearState, "din=d dout=h"]
    scale: Float[Array, "h"]
    count: Annotated[nnx.RngCount, UInt32[Array, ""]]
    key: Annotated[nnx.RngKey, Key[Array, ""]]


def params() -> nnx.State[Any, Any]:
    return nnx.State({"up": linear(2, 3)})


class ParamsState(TypedState):
    up: Bind[LinearState, "din=d dout=h"]


seen: list[bool] = []


def look(found: Any, hint: Any) -> None:
    wrong = zoo.as_dict(found)
    wrong["up"]["kernel"] = wrong["up"]["bias"]
    seen.append(bool(explain(found, hint)) and isinstance(found, hint) and not explain(wrong, hint))


def total(found: Any) -> jax.Array:
    return sum(jnp.sum(x) for x in jax.tree.leaves(found))  # type: ignore[return-value]


def in_jit() -> None:
    jax.jit(lambda found: look(found, PlainState))(plain())


def in_grad() -> None:
    def loss(found: Any) -> jax.Array:
        look(found, ParamsState)
        return total(found)

    look(jax.grad(loss)(params()), ParamsState)
    look(jax.value_and_grad(loss)(params())[1], ParamsState)


def in_vmap() -> None:
    many = jax.tree.map(lambda x: jnp.stack([x] * 4), params())
    jax.vmap(lambda found: look(found, ParamsState))(many)


def in_scan() -> None:
    def body(found: Any, _: Any) -> tuple[Any, None]:
        look(found, ParamsState)
        return found, None

    look(jax.lax.scan(body, params(), length=2)[0], ParamsState)


def in_jvp() -> None:
    def f(found: Any) -> jax.Array:
        look(found, ParamsState)
        return total(found)

    jax.jvp(f, (params(),), (params(),))


def in_cond() -> None:
    def branch(found: Any) -> Any:
        look(found, ParamsState)
        return found

    jax.lax.cond(True, branch, branch, params())


def in_checkpoint() -> None:
    def f(found: Any) -> jax.Array:
        look(found, ParamsState)
        return total(found)

    jax.grad(jax.checkpoint(f))(params())


def in_eval_shape() -> None:
    def f() -> Any:
        look(plain(), PlainState)
        return plain()

    found = jax.eval_shape(f)
    assert explain(found, Abstract[PlainState])
    assert not explain(found, PlainState)
    seen.append(True)


def in_nnx_jit() -> None:
    @nnx.jit
    def step(model: zoo.Mlp) -> None:
        seen.append(bool(explain(nnx.state(model), MlpState)))
        seen.append(bool(explain(model, Annotated[zoo.Mlp, MlpState])))

    step(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))


def in_nnx_grad() -> None:
    def loss(model: zoo.Mlp) -> jax.Array:
        seen.append(bool(explain(nnx.state(model), MlpState)))
        return model(jnp.ones((1, 2))).sum()

    grads = nnx.grad(loss)(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    assert explain(grads, Only[MlpState, nnx.Param])


@pytest.mark.parametrize(
    "transform",
    [
        in_jit,
        in_grad,
        in_vmap,
        in_scan,
        in_jvp,
        in_cond,
        in_checkpoint,
        in_eval_shape,
        in_nnx_jit,
        in_nnx_grad,
    ],
    ids=lambda transform: transform.__name__,
)
def test_tracers_are_taken_for_the_arrays_that_they_stand_for(
    transform: Callable[[], None],
) -> None:
    seen.clear()
    transform()
    assert seen
    assert all(seen)
