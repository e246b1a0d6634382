"""The ways from a plain value to a typed one, and decorators that keep signatures."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, assert_type

import jax
import pytest
from flax import nnx
from jaxtyping import Array, Float
from schema_models import (
    LinearState,
    Model,
    ModelState,
    linear_state,
    model,
    model_state,
    plain_state,
    seen,
)

from typedstate import Only, StateTypeError, check, checked, explain, fits
from typedstate.report import Report


def test_of_returns_the_schema() -> None:
    seen(assert_type(ModelState.of(model()), ModelState), nnx.State)
    seen(assert_type(ModelState.of(plain_state()), ModelState), nnx.State)
    seen(assert_type(ModelState.of(model(), nnx.Param), ModelState), nnx.State)
    seen(assert_type(ModelState.of(model(), dims={"d": 2}), ModelState), nnx.State)
    seen(assert_type(LinearState({"kernel": linear_state().kernel}), LinearState), nnx.State)


def test_check_returns_the_type_of_its_hint() -> None:
    state = plain_state()
    seen(assert_type(check(state, ModelState), ModelState), nnx.State)
    seen(assert_type(check(state, ModelState, dims={"d": 2}), ModelState), nnx.State)
    seen(assert_type(explain(state, ModelState), Report), Report)
    with pytest.raises(StateTypeError):
        check(state, LinearState)


def test_fits_narrows() -> None:
    state: nnx.State[Any, Any] = plain_state()
    if fits(state, LinearState):
        raise AssertionError
    assert fits(state, ModelState)
    seen(assert_type(state, ModelState), nnx.State)  # ty: ignore[assert-type-unspellable-subtype]  # it keeps what the state is not


def test_fits_narrows_to_a_form() -> None:
    state: nnx.State[Any, Any] = nnx.state(model(), nnx.Param)
    assert fits(state, Only[ModelState, nnx.Param])
    seen(assert_type(state, ModelState), nnx.State)


def test_isinstance_narrows() -> None:
    state: object = plain_state()
    assert isinstance(state, ModelState)
    seen(assert_type(state, ModelState), nnx.State)


@checked
def scale(
    state: LinearState, /, by: float, *rest: int, deep: bool = False, **more: str
) -> LinearState:
    """Docstring."""
    return state


@checked
def count(states: list[LinearState]) -> Iterator[int]:
    yield len(states)


@checked
async def later(state: LinearState) -> LinearState:
    return state


@checked
async def stream(state: LinearState) -> AsyncIterator[LinearState]:
    yield state


class Trainer:
    @checked
    def step(self, state: Only[LinearState, nnx.Param], x: Float[Array, "n"]) -> LinearState:
        return state

    @checked
    @staticmethod
    def static(state: LinearState) -> int:
        return len(state)

    @classmethod
    @checked
    def make(cls, state: LinearState) -> "Trainer":
        return cls()

    @property
    @checked
    def state(self) -> LinearState:
        return linear_state()


@nnx.jit
@checked
def total(module: Annotated[Model, ModelState], x: Float[Array, "n"]) -> Float[Array, ""]:
    return x.sum()


def test_checked_keeps_signatures() -> None:
    keyword: LinearState = scale(linear_state(), 2.0, 1, 2, deep=True, name="a")
    seen(keyword, nnx.State)
    seen(assert_type(scale(linear_state(), by=2.0), LinearState), nnx.State)
    assert list(inspect.signature(scale).parameters) == ["state", "by", "rest", "deep", "more"]
    seen(assert_type(next(count([linear_state()])), int), int)
    trainer = Trainer()
    seen(assert_type(trainer.step(linear_state(), jax.numpy.ones(2)), LinearState), nnx.State)
    seen(assert_type(Trainer.static(linear_state()), int), int)
    seen(assert_type(Trainer.make(linear_state()), Trainer), Trainer)
    seen(assert_type(trainer.state, LinearState), nnx.State)
    seen(assert_type(total(model(), jax.numpy.ones(2)), jax.Array), jax.Array)


def test_a_checked_function_is_passed_as_what_it_is() -> None:
    function: Callable[[LinearState, float], LinearState] = scale
    seen(assert_type(function(linear_state(), 1.0), LinearState), nnx.State)
    seen(model_state(), nnx.State)
