"""Decorators keep signatures exactly: of everything that may be called, in either order."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Generic, ParamSpec, TypeVar, assert_type, overload

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from schema_models import LinearState, Model, ModelState, linear_state, model, model_state, seen

from typedstate import Only, TypedState, checked

S = TypeVar("S", bound=TypedState)
T = TypeVar("T")
P = ParamSpec("P")


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


@checked
def with_any(state: S, other: T) -> tuple[S, T]:
    return state, other


@checked
def called(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


@overload
def pick(state: LinearState, key: int) -> int: ...
@overload
def pick(state: LinearState, key: str) -> str: ...
@checked
def pick(state: LinearState, key: int | str) -> int | str:
    return key


@checked
@functools.cache
def cached(key: int) -> int:
    return key


class Trainer:
    @checked
    def step(self, state: Only[LinearState, nnx.Param], x: Float[Array, "n"]) -> LinearState:
        return state

    @checked
    @staticmethod
    def static(state: LinearState) -> int:
        return len(state)

    @staticmethod
    @checked
    def static_below(state: LinearState) -> int:
        return len(state)

    @classmethod
    @checked
    def make(cls, state: LinearState) -> "Trainer":
        return cls()

    @checked
    @classmethod
    def make_above(cls, state: LinearState) -> "Trainer":
        return cls()

    @property
    @checked
    def state(self) -> LinearState:
        return linear_state()

    @checked
    async def later(self, state: LinearState) -> LinearState:
        return state


@checked
class Whole:
    def __init__(self, state: LinearState, *, name: str = "a") -> None:
        self.state = state

    def step(self, by: float, *, deep: bool = False) -> LinearState:
        return self.state


@checked
@dataclass(frozen=True)
class Step(Generic[S]):
    state: S
    count: int = 0


@nnx.jit
@checked
def total(module: Annotated[Model, ModelState], x: Float[Array, "n"]) -> Float[Array, ""]:
    return x.sum()


@checked
@nnx.jit
def total_above(module: Annotated[Model, ModelState], x: Float[Array, "n"]) -> Float[Array, ""]:
    return x.sum()


def test_functions() -> None:
    keyword: LinearState = scale(linear_state(), 2.0, 1, 2, deep=True, name="a")
    seen(keyword, nnx.State)
    seen(assert_type(scale(linear_state(), by=2.0), LinearState), nnx.State)
    assert list(inspect.signature(scale).parameters) == ["state", "by", "rest", "deep", "more"]
    seen(assert_type(count([linear_state()]), Iterator[int]), Iterator)
    seen(assert_type(next(count([linear_state()])), int), int)
    seen(assert_type(cached(3), int), int)


def test_async_functions() -> None:
    async def use() -> None:
        seen(assert_type(await later(linear_state()), LinearState), nnx.State)
        seen(assert_type(await Trainer().later(linear_state()), LinearState), nnx.State)
        async for state in stream(linear_state()):
            seen(assert_type(state, LinearState), nnx.State)

    running = use()
    try:
        running.send(None)
    except StopIteration:
        return
    raise AssertionError


def test_generic_functions() -> None:
    count = len(linear_state())
    seen(assert_type(with_any(linear_state(), count), tuple[LinearState, int]), tuple)
    seen(assert_type(with_any(model_state(), "a")[0].blocks[0].up, LinearState), nnx.State)
    seen(assert_type(called(scale, linear_state(), 2.0), LinearState), nnx.State)
    seen(assert_type(called(len, "three"), int), int)
    seen(assert_type(pick(linear_state(), 3), int), int)
    seen(assert_type(pick(linear_state(), "a"), str), str)


def test_methods() -> None:
    trainer, state = Trainer(), linear_state()
    seen(assert_type(trainer.step(state, jnp.ones(2)), LinearState), nnx.State)
    seen(assert_type(Trainer.static(state), int), int)
    seen(assert_type(trainer.static_below(state), int), int)
    seen(assert_type(Trainer.make(state), Trainer), Trainer)
    seen(assert_type(Trainer.make_above(state), Trainer), Trainer)
    seen(assert_type(trainer.state, LinearState), nnx.State)


def test_classes() -> None:
    whole = Whole(linear_state(), name="b")
    seen(assert_type(whole, Whole), Whole)
    seen(assert_type(whole.step(2.0, deep=True), LinearState), nnx.State)
    step = Step(linear_state(), count=1)
    seen(assert_type(step, Step[LinearState]), Step)
    seen(assert_type(step.state, LinearState), nnx.State)
    seen(assert_type(step.count, int), int)


def test_transforms() -> None:
    seen(assert_type(total(model(), jnp.ones(2)), jax.Array), jax.Array)
    seen(assert_type(total_above(model(), jnp.ones(2)), jax.Array), jax.Array)


def test_a_checked_function_is_passed_as_what_it_is() -> None:
    function: Callable[[LinearState, float], LinearState] = scale
    seen(assert_type(function(linear_state(), 1.0), LinearState), nnx.State)
