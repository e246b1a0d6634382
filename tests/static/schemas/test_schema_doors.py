"""The ways from a plain value to a typed one, and decorators that keep signatures."""

from typing import Any, assert_type

import pytest
from flax import nnx
from schema_models import (
    LinearState,
    ModelState,
    linear_state,
    model,
    plain_state,
    seen,
)

from typedstate import Only, Picture, StateTypeError, check, explain, fits, show
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
    seen(assert_type(show(state, ModelState), Picture), Picture)
    seen(assert_type(show(ModelState).to_html(), str), str)
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
