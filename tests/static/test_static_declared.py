"""State classes that declare their keys: what a schema is to a type checker."""

from typing import Any, assert_type

import jax
import pytest
from flax import nnx
from flax.nnx import statelib
from static_check import check
from static_models import LinearState, linear, linear_state, open_state

Param = nnx.Param[jax.Array]


def test_attributes_are_typed() -> None:
    state = linear_state()
    check(assert_type(state.kernel, Param), nnx.Param)
    check(assert_type(state.kernel[...], jax.Array), jax.Array)
    check(assert_type(state.bias, Param | None), nnx.Param)
    check(assert_type(open_state().kernel, Param), nnx.Param)


def test_undeclared_keys_of_an_open_class() -> None:
    check(assert_type(open_state().bias, Any), nnx.Param)
    check(assert_type(linear_state()["bias"], Any), nnx.Param)


def test_passes_for_a_state() -> None:
    def size(state: nnx.State) -> int:
        return len(state)

    check(assert_type(size(linear_state()), int), int)
    check(assert_type(nnx.merge(nnx.graphdef(linear()), linear_state()), nnx.Linear), nnx.Linear)


# At run time a declared class is a plain State after these functions, so only the leaves can be
# looked at.
def test_structure_is_kept() -> None:
    state = linear_state()
    kept = nnx.map_state(lambda path, v: v, state)
    check(assert_type(kept, LinearState), nnx.State)
    check(kept["kernel"], nnx.Param)
    check(assert_type(nnx.clone(state), LinearState), nnx.State)
    check(assert_type(nnx.merge_state(state), LinearState), nnx.State)
    check(assert_type(nnx.merge_state(state, state), LinearState), nnx.State)
    check(assert_type(statelib.diff(state, nnx.State({})), LinearState), nnx.State)
    check(
        assert_type(nnx.from_flat_state(nnx.to_flat_state(state), cls=LinearState), LinearState),
        LinearState,
    )


def test_parts_keep_the_class() -> None:
    state = linear_state()
    check(assert_type(nnx.filter_state(state, nnx.Param), LinearState), nnx.State)
    check(
        assert_type(nnx.split_state(state, nnx.Param, ...), tuple[LinearState, LinearState]),
        tuple,
        nnx.State,
        nnx.State,
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_methods() -> None:
    state = linear_state()
    check(assert_type(state.map(lambda path, v: v), LinearState), nnx.State)
    check(assert_type(state.filter(nnx.Param), nnx.State[Any, Param]), nnx.State)


def test_other_leaves_lose_the_class() -> None:
    state = linear_state()
    check(
        assert_type(nnx.map_state(lambda path, v: "kernel" in path, state), nnx.State[Any, bool]),
        nnx.State,
    )
    check(assert_type(nnx.pure(state), nnx.State[Any, Any]), nnx.State)
    check(assert_type(nnx.to_pure_dict(state), dict[str, Any]), dict)
