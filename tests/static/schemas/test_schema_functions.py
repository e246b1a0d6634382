"""Flax's functions over states with a schema: what keeps the structure keeps the schema."""

from typing import Any, assert_type

import jax
from flax import nnx
from schema_models import LinearState, ModelState, linear_state, model, model_state, seen

Param = nnx.Param[jax.Array]


def test_functions_that_keep_the_structure() -> None:
    state = model_state()
    seen(assert_type(nnx.map_state(lambda path, leaf: leaf, state), ModelState), nnx.State)
    seen(assert_type(nnx.merge_state(state, state), ModelState), nnx.State)
    seen(assert_type(nnx.filter_state(state, nnx.Param), ModelState), nnx.State)
    seen(assert_type(nnx.clone(state), ModelState), nnx.State)


def test_functions_that_give_the_leaves() -> None:
    state = linear_state()
    seen(assert_type(nnx.to_pure_dict(state), dict[str, Any]), dict)
    seen(
        assert_type(nnx.state(model(), nnx.Param), nnx.State[Any, nnx.Param[jax.Array]]), nnx.State
    )


def test_a_schema_is_a_state() -> None:
    def size(state: nnx.State[Any, Any]) -> int:
        return len(state)

    def bare(state: nnx.State) -> int:
        return len(state)

    state = linear_state()
    seen(assert_type(size(state), int), int)
    seen(assert_type(bare(state), int), int)
    module = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    nnx.update(module, state)
    graphdef, _ = nnx.split(module)
    seen(assert_type(nnx.merge(graphdef, state), nnx.Linear), nnx.Linear)


def test_gradients_keep_the_schema() -> None:
    def loss(state: LinearState) -> jax.Array:
        return state.kernel[...].sum()

    seen(assert_type(loss(linear_state()), jax.Array), jax.Array)
