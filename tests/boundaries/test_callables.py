"""`checked` enforces the annotations of every kind of callable."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Self

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float, Int

from tests.boundaries.helpers import T, first_line, linear, linear_state, ones, refused, shape_of
from tests.zoo import LinearState, state
from typedstate import checked


def test_methods_and_properties() -> None:
    class Server:
        def __init__(self, params: Any) -> None:
            self._params = params

        @checked
        def serve(self, params: LinearState) -> int:
            return 1

        @staticmethod
        @checked
        def static(params: LinearState) -> int:
            return 2

        @checked
        @staticmethod
        def static_above(params: LinearState) -> int:
            return 3

        @classmethod
        @checked
        def of_class(cls, params: LinearState) -> Self:
            return cls(params)

        @checked
        @classmethod
        def of_class_above(cls, params: LinearState) -> Self:
            return cls(params)

        @checked
        @property
        def params(self) -> LinearState:
            return self._params

        @params.setter
        @checked
        def params(self, value: LinearState) -> None:
            self._params = value

        @property
        @checked
        def below(self) -> LinearState:
            return self._params

    good, bad = linear_state(), state({})
    server = Server(good)
    assert server.serve(good) == 1
    assert (Server.static(good), server.static_above(good)) == (2, 3)
    assert isinstance(Server.of_class(good), Server)
    assert isinstance(Server.of_class_above(good), Server)
    assert server.params is good
    assert server.below is good
    for call in (
        server.serve,
        Server.static,
        server.static_above,
        Server.of_class,
        Server.of_class_above,
        functools.partial(setattr, server, "params"),
    ):
        assert "params" in refused(call, bad) or "value" in refused(call, bad)
    server._params = bad
    refused(lambda: server.params)
    refused(lambda: server.below)


def test_a_whole_class() -> None:
    @checked
    class Loop:
        def __init__(self, params: LinearState) -> None:
            self.params = params

        def run(self, steps: int) -> Float[Array, "..."]:
            return ones(steps)

        def other(self, loop: Loop) -> None: ...

        @property
        def first(self) -> int:
            return "1"  # type: ignore[return-value]

        def __len__(self) -> int:
            return 3

    loop = Loop(linear_state())
    assert loop.run(2).shape == (2,)
    loop.other(loop)
    refused(Loop, 1)
    refused(loop.run, "2")
    refused(loop.other, 1)
    refused(lambda: loop.first)
    assert len(loop) == 3


def test_fields_of_a_dataclass() -> None:
    @checked
    @dataclasses.dataclass(frozen=True, slots=True)
    class Batch:
        params: LinearState
        x: Float[Array, "b din"]
        seed: dataclasses.InitVar[int]
        name: str = None  # type: ignore[assignment]
        tags: list[str] = dataclasses.field(default_factory=list)
        _: dataclasses.KW_ONLY
        scale: float = 1.0

        def __post_init__(self, seed: int) -> None: ...

    Batch(linear_state(), ones((4, 2)), 1)
    Batch(linear_state(), ones((4, 2)), 1, "a", ["b"], scale=2.0)
    assert first_line(refused(Batch, linear_state(), ones((4, 3)), 1)) == (
        "x: din is 3, but din=2 from params.kernel, axis 0 [dim]"
    )
    refused(Batch, linear_state(), ones((4, 2)), "1")
    refused(Batch, linear_state(), ones((4, 2)), 1, 2)
    refused(Batch, linear_state(), ones((4, 2)), 1, "a", [3])
    refused(Batch, linear_state(), ones((4, 2)), 1, scale="1")


def test_call_of_a_module() -> None:
    class Layer(nnx.Module):
        def __init__(self) -> None:
            self.linear = linear()

        @checked
        def __call__(self, x: Float[Array, "*b 2"]) -> Float[Array, "*b 3"]:
            return self.linear(x) if x.shape[0] != 7 else x

    layer = Layer()
    assert layer(ones((4, 5, 2))).shape == (4, 5, 3)
    assert nnx.jit(lambda m, x: m(x))(layer, ones((4, 2))).shape == (4, 3)
    assert first_line(refused(layer, ones((4, 3)))).startswith("x: expected 2 on axis 1")
    assert first_line(refused(layer, ones((7, 2)))).startswith("return: expected 3")


def test_async_functions() -> None:
    @checked
    async def load(params: LinearState) -> LinearState:
        await asyncio.sleep(0)
        return params if shape_of(params)[0] == 2 else state({})

    good = linear_state()
    assert asyncio.run(load(good)) is good
    assert inspect.iscoroutinefunction(load)
    refused(lambda: asyncio.run(load(state({}))))
    assert "return value" in refused(lambda: asyncio.run(load(linear_state(4))))


def test_generators_send_throw_close_and_return() -> None:
    log: list[Any] = []

    @checked
    def batches(params: LinearState) -> Generator[Int[Array, "dout"], str, int]:
        sent = yield jnp.arange(3)
        log.append(sent)
        try:
            yield jnp.arange(3)
        except KeyError:
            log.append("thrown")
        try:
            yield jnp.arange(3)
        finally:
            log.append("closed")
        return 5

    assert inspect.isgeneratorfunction(batches)
    running = batches(linear_state())
    next(running)
    running.send("hello")
    running.throw(KeyError())
    running.close()
    assert log == ["hello", "thrown", "closed"]

    def whole() -> Generator[Any, Any, int]:
        return (yield from batches(linear_state()))

    def drain(generator: Generator[Any, Any, T]) -> T:
        while True:
            try:
                next(generator)
            except StopIteration as stop:
                return typing.cast(T, stop.value)

    assert drain(whole()) == 5
    batches_throw = batches(linear_state())
    next(batches_throw)
    with pytest.raises(ZeroDivisionError):
        batches_throw.throw(ZeroDivisionError())


def test_what_a_generator_yields_and_returns_is_checked() -> None:
    closed: list[bool] = []

    @checked
    def states(params: LinearState, last: Any) -> Generator[LinearState, None, LinearState]:
        try:
            yield params
            yield last
        finally:
            closed.append(True)
        return last if shape_of(last) == (2, 3) else 1  # type: ignore[return-value]

    good = linear_state()
    assert list(states(good, good)) == [good, good]
    name = "test_what_a_generator_yields_and_returns_is_checked.<locals>.states()"
    assert refused(lambda: list(states(good, 3))) == (
        f"the yielded value of {name} does not fit: 1 violation\n"
        "  yield: expected a state LinearState, found int [container]\n"
        "  dims: din=2 dout=3\n"
        "signature:\n"
        "     params: LinearState\n"
        "  -> yield: LinearState\n"
        "     return: LinearState"
    )
    assert len(closed) == 3

    @checked
    def counts(n: int) -> Generator[int, None, str]:
        yield n
        return n  # type: ignore[return-value]

    refused(lambda: list(counts(1)))
    refused(lambda: next(counts("1")))  # type: ignore[arg-type]


def test_async_generators() -> None:
    log: list[Any] = []

    @checked
    async def states(params: LinearState, last: Any) -> AsyncIterator[LinearState]:
        try:
            log.append((yield params))  # type: ignore[func-returns-value]
            yield params
        except KeyError:
            log.append("thrown")
            yield params
        finally:
            log.append("closed")
        yield last

    async def talk() -> None:
        running: Any = states(good, good)
        await anext(running)
        await running.asend("hello")
        await running.athrow(KeyError())
        await running.aclose()

    async def drain(last: Any) -> list[Any]:
        return [item async for item in states(good, last)]

    good = linear_state()
    assert inspect.isasyncgenfunction(states)
    asyncio.run(talk())
    assert log == ["hello", "thrown", "closed"]
    assert asyncio.run(drain(good)) == [good, good, good]
    assert "yield: expected a state" in refused(lambda: asyncio.run(drain(3)))


def test_context_managers_are_checked_below() -> None:
    @contextlib.contextmanager
    @checked
    def scope(params: LinearState) -> Iterator[LinearState]:
        yield params

    good = linear_state()
    with scope(good) as found:
        assert found is good
    refused(lambda: scope(state({})).__enter__())


def test_a_decorator_of_the_users_own_in_between() -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return call

    @checked
    @logged
    def use(params: LinearState, x: Float[Array, "din"] = None) -> int:  # type: ignore[assignment]
        return 1

    assert use(linear_state()) == 1
    assert use(linear_state(), x=ones(2)) == 1
    refused(use, linear_state(), x=ones(4))
