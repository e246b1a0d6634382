"""Trees of numpy arrays, of lists, and of a live optimizer, said with the schema of the model."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jaxtyping import Array, Float, Int, Key

from tests import zoo
from tests.agreement import warm
from tests.zoo import LinearState, Mlp, MlpState, leaf
from typedstate import Bind, Like, Only, Pure, StateTypeError, TypedState, checked, explain
from typedstate.layers import AdamState, Raw

Params = Only[MlpState, nnx.Param]
OF_ANOTHER_SIZE = "down.kernel: din is 4, but hidden=3 from up.kernel, axis 1"


def mlp() -> Any:
    return nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0)), nnx.Param)


def lines(value: Any, hint: Any) -> list[str]:
    return [str(one).rpartition(" [")[0] for one in explain(value, hint).violations]


@pytest.mark.parametrize(
    ("hint", "wrap"),
    [
        (Like[Pure[MlpState], np.ndarray], lambda value: value),
        (Like[MlpState, np.ndarray], lambda value: value),
        (Like[MlpState, nnx.Variable[np.ndarray]], lambda value: leaf(nnx.Param, value)),
        (Like[MlpState, nnx.Param[np.ndarray]], lambda value: leaf(nnx.Param, value)),
    ],
    ids=["a dict of values", "a dict of raw leaves", "Variables", "Params"],
)
def test_numpy_arrays_have_the_shapes_of_the_schema(hint: Any, wrap: Any) -> None:
    def tree(hidden: int, make: Any = np.ones) -> Any:
        return {
            "up": {"kernel": wrap(make((2, 3))), "bias": wrap(make(3))},
            "down": {"kernel": wrap(make((hidden, 2))), "bias": wrap(make(2))},
        }

    doors = warm(hint, tree(3))
    assert doors.ask(tree(3))
    assert not doors.ask(tree(4))
    assert lines(tree(4), hint) == [OF_ANOTHER_SIZE]
    assert not doors.ask(tree(3, jnp.ones))
    assert not doors.ask(tree(3, lambda shape: np.ones(shape, np.int32)))


def test_a_fetched_state_is_one_of_variables() -> None:
    assert explain(jax.device_get(mlp()), Like[MlpState, nnx.Param[np.ndarray]])


class MixedState(TypedState):
    key: Annotated[nnx.RngKey, Key[Array, ""]]
    pair: nnx.Param[tuple[Float[Array, "a"], Int[Array, "a"]]]
    either: nnx.Param[Float[Array, "a"] | Float[Array, "a a"]]


def test_parts_of_a_value_are_of_the_class_and_keys_stay_what_they_are() -> None:
    pair = (np.ones(3), np.ones(3, np.int32))
    key = jax.random.key(0)
    hint = Like[MixedState, np.ndarray]
    assert explain({"key": key, "pair": pair, "either": np.ones((3, 3))}, hint)
    wrong = {"key": key, "pair": (pair[0], np.ones(4, np.int32)), "either": np.ones(3)}
    assert lines(wrong, hint) == ["pair[1]: a is 4, but a=3 from pair[0], axis 0"]


# -- Lists ---------------------------------------------------------------------------------------


class RestoredState(TypedState):
    """A tree whose layers are a list, as some checkpoints have them."""

    layers: list[Pure[Bind[LinearState, "din=d dout=d"]]]
    head: Pure[Bind[LinearState, "din=d dout=classes"]]


def test_a_restored_list_of_dicts() -> None:
    def layer(*shape: int) -> dict[str, Any]:
        return {"kernel": jnp.ones(shape), "bias": jnp.ones(shape[-1])}

    doors = warm(RestoredState, {"layers": [layer(2, 2)] * 3, "head": layer(2, 5)})
    assert doors.ask({"layers": [layer(2, 2)] * 3, "head": layer(2, 5)})
    wrong = {"layers": [layer(2, 2), layer(3, 3)], "head": layer(2, 5)}
    assert not doors.ask(wrong)
    assert lines(wrong, RestoredState) == [
        "layers[1].kernel: din is 3, but d=2 from layers[0].kernel, axis 0",
        "layers[1].kernel: dout is 3, but d=2 from layers[0].kernel, axis 0",
        "layers[1].bias: dout is 3, but d=2 from layers[0].kernel, axis 0",
    ]


# -- A live optimizer ----------------------------------------------------------------------------


@pytest.mark.skipif(zoo.HAS_VARIABLE_STATE, reason="on Flax 0.10 an optimizer holds its model")
def test_the_moments_of_a_live_optimizer() -> None:
    @checked
    def step(params: Params, moments: Raw[AdamState[Params]]) -> None: ...

    tx = optax.adam(1e-3)
    live, raw = nnx.Optimizer(Mlp(2, 3, rngs=nnx.Rngs(0)), tx, wrt=nnx.Param), tx.init(mlp())
    for _ in range(3):
        step(mlp(), live.opt_state)
        step(mlp(), raw)
    other = nnx.Optimizer(Mlp(2, 4, rngs=nnx.Rngs(0)), tx, wrt=nnx.Param)
    with pytest.raises(StateTypeError) as error:
        step(mlp(), other.opt_state)
    assert "moments[0].mu.up.kernel: dout is 4, but hidden=3 from params.up" in str(error.value)
    wrong = (raw[0]._replace(count=jnp.ones(2, int)), *raw[1:])
    assert lines(wrong, Raw[AdamState[Params]])[0].startswith("[0].count: expected")
