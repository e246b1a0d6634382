"""`checked` enforces the annotations of every kind of callable, and is not seen otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import gc
import inspect
import threading
import traceback
import typing
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, NamedTuple, Self, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from flax import nnx
from hypothesis import given, strategies as st
from jaxtyping import Array, Float, Int
from zoo import LinearState, Mlp, MlpState, leaf, state

from typedstate import (
    Bind,
    Only,
    Same,
    SchemaError,
    Scoped,
    StateMap,
    StateTypeError,
    TypedState,
    TypedStateWarning,
    check,
    checked,
    fits,
)
from typedstate._compat import variables

T = TypeVar("T")


class SquareState(TypedState):
    kernel: nnx.Param[Float[Array, "d d"]]
    bias: nnx.Param[Float[Array, "d"]]


def linear(din: int = 2, dout: int = 3) -> nnx.Linear:
    return nnx.Linear(din, dout, rngs=nnx.Rngs(0))


def ones(shape: int | tuple[int, ...]) -> jax.Array:
    """An array that nothing is compiled for."""
    return jnp.asarray(np.ones(shape, np.float32))


def linear_state(din: int = 2, dout: int = 3) -> Any:
    return state({"kernel": nnx.Param(ones((din, dout))), "bias": nnx.Param(ones(dout))})


def shape_of(params: Any) -> tuple[int, ...]:
    """The shape of the kernel."""
    return variables.raw_value(params["kernel"]).shape


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The message of a call that is refused, twice, as the second time is no other."""
    with pytest.raises(StateTypeError) as first:
        call(*args, **kwargs)
    with pytest.raises(StateTypeError) as second:
        call(*args, **kwargs)
    assert str(first.value) == str(second.value)
    return str(first.value)


def first_line(message: str) -> str:
    return message.splitlines()[1].strip()


# -- Whole messages ----------------------------------------------------------------------------


def test_message_of_arguments() -> None:
    @checked
    def step(
        params: MlpState, x: Float[Array, "batch d"], lr: float
    ) -> Float[Array, "batch hidden"]:
        return x

    wrong = nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0)))
    wrong["up"]["kernel"] = leaf(nnx.Param, ones((2, 4)))
    name = "test_message_of_arguments.<locals>.step()"
    assert refused(step, wrong, ones((5, 7)), 0.1) == (
        f"the arguments of {name} do not fit: 2 violations\n"
        "  params.up.kernel: dout is 4, but hidden=3 from params.up.bias, axis 0 [dim]\n"
        "  x: d is 7, but d=2 from params.up.kernel, axis 0 [dim]\n"
        "  dims: d=2 hidden=3 batch=5\n"
        "signature:\n"
        "  -> params: MlpState\n"
        '  -> x: Float[Array, "batch d"]\n'
        '     return: Float[Array, "batch hidden"]'
    )


def test_message_of_the_return_value() -> None:
    @checked
    def apply(params: LinearState, x: Float[Array, "b din"]) -> Float[Array, "b dout"]:
        return x

    name = "test_message_of_the_return_value.<locals>.apply()"
    assert refused(apply, linear_state(), ones((4, 2))) == (
        f"the return value of {name} does not fit: 1 violation\n"
        "  return: dout is 2, but dout=3 from params.kernel, axis 1 [dim]\n"
        "  dims: din=2 dout=3 b=4\n"
        "signature:\n"
        "     params: LinearState\n"
        '     x: Float[Array, "b din"]\n'
        '  -> return: Float[Array, "b dout"]'
    )


def test_message_of_what_is_beartypes() -> None:
    @checked
    def step(params: LinearState, lr: float) -> None: ...

    name = f"{__name__}.test_message_of_what_is_beartypes.step()"
    assert refused(step, linear_state(), "fast") == (
        f"Function {name} parameter lr='fast' violates type hint <class 'float'>, "
        "as str 'fast' not instance of float."
    )


def test_error_holds_the_report() -> None:
    @checked
    def use(params: LinearState) -> None: ...

    use(state({"kernel": nnx.Param(ones((2, 3)))}))  # no bias: it is optional
    with pytest.raises(StateTypeError) as caught:
        use(state({"bias": nnx.Param(ones(3))}))
    report = caught.value.report
    assert report is not None
    assert [(item.path, item.code) for item in report.violations] == [("params.kernel", "missing")]


# -- Kinds of callables ------------------------------------------------------------------------


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
    refused(Batch, linear_state(), ones((4, 2)), 1, scale=1)


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


# -- Parameters --------------------------------------------------------------------------------


def test_every_kind_of_parameter() -> None:
    @checked
    def use(
        a: LinearState, /, b: LinearState, c: LinearState | None = None, *, d: LinearState
    ) -> tuple[Any, ...]:
        return a, b, c, d

    s = linear_state()
    bad = state({})
    assert use(s, s, d=s) == (s, s, None, s)
    assert use(s, b=s, c=s, d=s) == (s, s, s, s)
    for position, args in enumerate([(bad, s, s, s), (s, bad, s, s), (s, s, bad, s)]):
        message = refused(lambda a, b, c, d: use(a, b, c, d=d), *args)
        assert first_line(message).startswith(f"{'abc'[position]}.kernel: missing")
    assert first_line(refused(use, s, s, d=bad)).startswith("d.kernel: missing")
    with pytest.raises(TypeError, match=r"use\(\) missing 1 required keyword-only"):
        use(s, s)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional-only"):
        use(a=s, b=s, d=s)  # type: ignore[call-arg]


def test_a_default_is_never_checked() -> None:
    marker: Any = object()

    @checked
    def use(params: LinearState = marker, n: int = "many", *, x: Float[Array, "n"] = 0) -> Any:  # type: ignore[assignment]
        return params

    assert use() is marker
    assert use(n="many") is marker  # type: ignore[arg-type]
    s = linear_state()
    assert use(s, 3, x=ones(4)) is s
    refused(use, n="few")
    refused(use, object())
    refused(use, s, x=1)


def test_variadic_parameters() -> None:
    @checked
    def use(*states: LinearState, **more: LinearState) -> int:
        return len(states) + len(more)

    s = linear_state()
    assert use() == 0
    assert use(s, s, a=s) == 3
    assert use(s, s, a=s) == 3
    assert first_line(refused(use, s, linear_state(2, 4))) == (
        "states[1].kernel: dout is 4, but dout=3 from states[0].kernel, axis 1 [dim]"
    )
    assert first_line(refused(use, s, a=s, b=3)).startswith("more['b']: expected a state")
    use(linear_state(5, 6), a=linear_state(5, 6))

    @checked
    def numbers(*args: int, **kwargs: str) -> int:
        return len(args)

    assert numbers(1, 2, a="b") == 2
    refused(numbers, 1, "2")
    refused(numbers, 1, a=2)


def test_variadic_modules_are_read_each_time() -> None:
    @checked
    def use(*models: Annotated[nnx.Linear, SquareState]) -> int:
        return len(models)

    square = linear(2, 2)
    assert use(square, square) == 2
    assert use(square) == 1
    refused(use, linear(2, 3))
    square.kernel = nnx.Param(ones((2, 5)))
    refused(use, square)


@pytest.mark.parametrize(
    ("hint", "good", "bad", "path"),
    [
        (list[LinearState], lambda s: [s, s], lambda s: [s, state({})], "value[1].kernel"),
        (list[LinearState], lambda s: [], lambda s: (s,), "value"),
        (tuple[LinearState, ...], lambda s: (s, s), lambda s: (s, 1), "value[1]"),
        (tuple[LinearState, int], lambda s: (s, 1), lambda s: (s, "1"), "value[1]"),
        (tuple[LinearState, int], lambda s: (s, 1), lambda s: (s,), "value"),
        (dict[str, LinearState], lambda s: {"a": s}, lambda s: {"a": s, "b": 1}, "value.b"),
        (dict[str, LinearState], lambda s: {}, lambda s: {1: s}, "value[1]"),
        (LinearState | None, lambda s: None, lambda s: 1, "value"),
        (LinearState | MlpState, lambda s: s, lambda s: state({}), "value.kernel"),
        (dict[str, list[LinearState]], lambda s: {"a": [s]}, lambda s: {"a": [1]}, "value.a[0]"),
        (Sequence[LinearState], lambda s: (s,), lambda s: s, "value"),
        (LinearState | int, lambda s: 3, lambda s: "3", "value"),
        (float | LinearState | None, lambda s: 3.5, lambda s: 3, "value"),
    ],
)
def test_containers(hint: Any, good: Any, bad: Any, path: str) -> None:
    def use(value: Any) -> Any:
        return value

    use.__annotations__ = {"value": hint, "return": hint}
    use = checked(use)
    s = linear_state()
    for _ in range(3):
        value = good(s)
        assert use(value) is value
    assert first_line(refused(use, bad(s))).startswith(f"{path}: ")


def test_records() -> None:
    class TrainState(NamedTuple):
        params: LinearState
        step: int

    @dataclasses.dataclass
    class Loop:
        params: LinearState
        name: str

    @checked
    def use(one: TrainState, other: Loop) -> None: ...

    s = linear_state()
    use(TrainState(s, 1), Loop(s, "a"))
    use(TrainState(s, 1), Loop(s, "a"))
    assert first_line(refused(use, TrainState(state({}), 1), Loop(s, "a"))).startswith(
        "one.params.kernel: missing"
    )
    assert first_line(refused(use, TrainState(s, 1), Loop(s, 3))).startswith("other.name")  # type: ignore[arg-type]


def test_parameters_named_like_our_own_names() -> None:
    @checked
    def use(
        _call: LinearState,
        __target: int,
        isinstance: int,
        next: float = 1.0,
        *_found: int,
        ___error: str = "",
    ) -> Float[Array, "dout"]:
        return ones(__target)

    assert use(linear_state(), 3, 4).shape == (3,)
    refused(use, linear_state(), 4, 4)
    refused(use, linear_state(), 3, "4")
    refused(use, linear_state(), 3, 4, "x")


# -- Names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["state first", "array first"])
def test_names_are_shared_in_any_order(order: str) -> None:
    def by_state(
        a: LinearState, b: LinearState, x: Float[Array, "n din"]
    ) -> Float[Array, "n dout"]:
        return ones((x.shape[0], shape_of(b)[1]))

    def by_array(
        x: Float[Array, "n din"], b: LinearState, a: LinearState
    ) -> Float[Array, "n dout"]:
        return by_state(a, b, x)

    function = checked(by_state if order == "state first" else by_array)
    s, x = linear_state(), ones((4, 2))
    assert function(a=s, b=s, x=x).shape == (4, 3)
    refused(function, a=s, b=linear_state(2, 4), x=x)
    refused(function, a=s, b=s, x=ones((4, 5)))


def test_arguments_bind_before_the_result() -> None:
    @checked
    def use(x: Float[Array, "n"]) -> list[Float[Array, "n"]]:
        return [ones(5)] * 9  # outvoted by the one argument

    assert first_line(refused(use, ones(4))) == "return[0]: n is 5, but n=4 from x, axis 0 [dim]"


def test_expressions_and_forms_at_a_boundary() -> None:
    @checked
    def use(
        student: LinearState,
        teacher: Scoped[LinearState, "teacher"],
        params: Same[Only[MlpState, nnx.Param], "T"],
        grads: Same[Only[MlpState, nnx.Param], "T"],
        x: Float[Array, "2*din+1"],
    ) -> Same[Only[MlpState, nnx.Param], "T"]:
        return grads

    params = nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0)), nnx.Param)
    other = nnx.state(Mlp(2, 4, rngs=nnx.Rngs(0)), nnx.Param)
    args = (linear_state(), linear_state(7, 8))
    for _ in range(2):
        use(*args, params, params, ones(5))
    refused(use, *args, params, params, ones(6))
    refused(use, *args, params, other, ones(5))


def test_jaxtyping_knows_the_names_in_the_body() -> None:
    seen: list[bool] = []

    @checked
    def use(params: LinearState, x: Float[Array, "*b din"]) -> None:
        seen.append(isinstance(ones(3), Float[Array, "dout"]))
        seen.append(isinstance(ones(4), Float[Array, "dout"]))
        seen.append(isinstance(ones((5, 6, 9)), Float[Array, "*b other"]))
        seen.append(isinstance(ones((5, 9)), Float[Array, "*b another"]))

    for _ in range(2):
        seen.clear()
        use(linear_state(), ones((5, 6, 2)))
        assert seen == [True, False, True, False]
    assert isinstance(ones(4), Float[Array, "dout"])  # outside there is no name


def test_jaxtyping_knows_no_names_without_its_hints() -> None:
    @checked
    def use(params: LinearState) -> bool:
        return isinstance(ones(9), Float[Array, "dout"])

    assert use(linear_state())


def test_names_of_a_call_within_a_call_are_its_own() -> None:
    @checked
    def inner(x: Float[Array, "n"]) -> bool:
        return isinstance(ones(2), Float[Array, "n"])

    @checked
    def outer(x: Float[Array, "n"]) -> tuple[bool, bool, bool]:
        found = inner(ones(2))
        return found, isinstance(ones(3), Float[Array, "n"]), inner(ones(4))

    assert outer(ones(3)) == (True, True, False)


def test_recursion() -> None:
    @checked
    def fold(params: LinearState, x: Float[Array, "din"], n: int) -> Float[Array, "dout"]:
        if n:
            d = x.shape[0] + 1
            fold(linear_state(d, 3), ones(d), n - 1)
        return ones(3)

    fold(linear_state(), ones(2), 5)
    refused(fold, linear_state(), ones(3), 1)


def test_interleaved_tasks_do_not_share_names() -> None:
    @checked
    async def use(params: LinearState, x: Float[Array, "din"]) -> Float[Array, "dout"]:
        for _ in range(3):
            await asyncio.sleep(0)
            assert isinstance(ones(99), Float[Array, "din"])
        return ones(shape_of(params)[1])

    async def main() -> None:
        await asyncio.gather(*(use(linear_state(n, n + 1), ones(n)) for n in range(1, 6)))

    asyncio.run(main())


def test_generators_do_not_leak_names_to_their_caller() -> None:
    @checked
    def items(x: Float[Array, "n"]) -> Iterator[Float[Array, "n"]]:
        yield x
        yield x

    @checked
    def caller(x: Float[Array, "n"]) -> None:
        one, other = items(ones(3)), items(ones(4))
        for _ in range(2):
            assert next(one).shape == (3,)
            assert next(other).shape == (4,)
            assert isinstance(x, Float[Array, "n"])

    caller(ones(2))


def test_threads() -> None:
    @checked
    def use(params: LinearState, x: Float[Array, "b din"]) -> Float[Array, "b dout"]:
        assert isinstance(x, Float[Array, "b din"])
        assert not isinstance(x, Float[Array, "b dout"])
        return ones((x.shape[0], shape_of(params)[1]))

    sizes = [(n % 4 + 1, n % 3 + 9) for n in range(24)]
    states = {size: linear_state(*size) for size in set(sizes)}
    gate = threading.Barrier(8)

    def work(index: int) -> int:
        gate.wait()
        wrong = 0
        for din, dout in sizes:
            use(states[din, dout], ones((index + 1, din)))
            try:
                use(states[din, dout], ones((index + 1, din + 1)))
            except StateTypeError:
                wrong += 1
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [len(sizes)] * 8


# -- Modules in place --------------------------------------------------------------------------


def test_a_module_is_checked_in_place() -> None:
    @checked
    def step(model: Annotated[nnx.Linear, LinearState], x: Float[Array, "b din"]) -> None: ...

    model = linear()
    for _ in range(2):
        step(model, ones((4, 2)))
    refused(step, model, ones((4, 3)))
    model.kernel = nnx.Param(ones((2, 4)))
    assert first_line(refused(step, model, ones((4, 2)))) == (
        "model.bias: dout is 3, but dout=4 from model.kernel, axis 1 [dim]"
    )
    assert first_line(refused(step, 3, ones((4, 2)))) == (
        "model: expected Linear, found int [container]"
    )


def test_only_a_module_is_a_module() -> None:
    @checked
    def step(model: Annotated[nnx.Linear, LinearState]) -> None: ...

    model = linear()
    step(model)
    tree = {"kernel": model.kernel, "bias": model.bias}
    assert first_line(refused(step, tree)).startswith("model: expected Linear, found a dict")
    assert first_line(refused(step, nnx.state(model))).startswith("model: expected Linear")


def test_an_optional_module_is_read_each_time() -> None:
    @checked
    def step(model: Annotated[nnx.Linear, SquareState] | None = None) -> None: ...

    step()
    step(linear(2, 2))
    step(linear(3, 3))
    refused(step, linear(2, 3))


def test_a_module_in_a_container() -> None:
    @checked
    def step(models: list[Annotated[nnx.Linear, SquareState]]) -> None: ...

    step([linear(2, 2), linear(2, 2)])
    step([linear(2, 2), linear(2, 2)])
    refused(step, [linear(2, 2), linear(2, 3)])


def test_a_container_that_jax_rebuilds_may_hold_anything_meanwhile() -> None:
    @checked
    @flax.struct.dataclass
    class Batch:
        tokens: Int[Array, "n"]
        state: LinearState
        weight: float = flax.struct.field(pytree_node=False, default=1.0)

    @checked
    @functools.partial(
        jax.tree_util.register_dataclass, data_fields=["tokens", "scale"], meta_fields=[]
    )
    @dataclasses.dataclass
    class Scaled:
        tokens: Int[Array, "n"]
        scale: float

    @jax.tree_util.register_pytree_node_class
    class Custom:
        @checked
        def __init__(self, tokens: Int[Array, "n"]) -> None:
            self.tokens = tokens

        def tree_flatten(self) -> tuple[Any, None]:
            return (self.tokens,), None

        @classmethod
        def tree_unflatten(cls, _: None, children: Any) -> Any:
            return cls(*children)

    @checked
    def use(batch: Batch, scaled: Scaled) -> Float[Array, ""]:
        return batch.tokens.sum() * scaled.scale

    tokens = jnp.arange(3)
    batch, scaled = Batch(tokens, linear_state()), Scaled(tokens, 2.0)
    for container in (batch, scaled, Custom(tokens)):
        for made in (None, True, "x", object()):
            rebuilt = jax.tree.map(lambda _, made=made: made, container)
            assert type(rebuilt) is type(container)
            assert rebuilt.tokens is made
        assert type(jax.eval_shape(lambda it: it, container)) is type(container)
    assert use(batch, scaled) == 6.0
    assert jax.jit(use)(batch, scaled) == 6.0  # the number is an array in there
    refused(Batch, None, linear_state())
    refused(batch.replace, tokens=None)
    refused(Scaled, None, 2.0)
    refused(Scaled, tokens, None)
    refused(Custom, None)
    refused(use, batch, batch)


def test_a_dtype_is_no_class_of_values() -> None:
    with pytest.raises(SchemaError) as caught:

        @checked
        def use(step: jnp.int32, x: Float[Array, "n"]) -> None: ...

    assert str(caught.value) == (
        "test_a_dtype_is_no_class_of_values.<locals>.use(step): jnp.int32 is a dtype, of which "
        'nothing is an instance: write Int32[Array, ""]'
    )
    for dtype, name in {
        jnp.bfloat16: "BFloat16",
        jnp.bool_: "Bool",
        jnp.complex64: "Complex64",
    }.items():
        with pytest.raises(SchemaError, match=f'write {name}\\[Array, ""\\]'):
            check(jnp.ones(()), dtype)


def test_a_module_class_that_is_a_dataclass() -> None:
    @dataclasses.dataclass
    class Layer(nnx.Module):
        kernel: nnx.Param
        parts: list[Any]

    @checked
    def use(layer: Layer) -> None: ...

    use(Layer(nnx.Param(ones(2)), zoo.list_of([])))
    refused(use, 3)


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_in_place_agrees_with_the_state(animal: zoo.Animal) -> None:
    model = animal.make()
    hint = Annotated[type(model), animal.schema]
    assert fits(nnx.state(model), animal.schema)
    assert fits(model, hint)

    def use(model: Any) -> None: ...

    use.__annotations__["model"] = hint
    use = checked(use)
    use(model)
    use(animal.make())


class Tree(nnx.Module):
    """Attributes are given from outside."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)


class TreeState(TypedState):
    a: Bind[SquareState, "d"] | None
    b: nnx.Param[Float[Array, "d"]] | None
    parts: StateMap[int, Bind[SquareState, "d"]]
    table: StateMap[str, nnx.Variable[Float[Array, "n"]]]
    raw: Float[Array, "d"] | None


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Modules with lists, dicts, shared Variables and modules, statics and wrong sizes."""
    size = st.sampled_from([2, 2, 2, 2, 3])
    pool: list[Any] = [linear(2, 2), linear(3, 3), linear(2, 3)]
    variables: list[Any] = [nnx.Param(ones(2)), nnx.BatchStat(ones(2))]
    module = st.sampled_from([0, 0, 0, 1, 2]).map(lambda index: pool[index])
    fresh = module.map(nnx.clone)
    variable = st.one_of(st.sampled_from(variables), size.map(lambda n: nnx.Param(ones(n))))
    attributes: dict[str, Any] = {}
    some = {
        "a": st.one_of(module, fresh, st.none()),
        "b": st.one_of(variable, st.none()),
        "parts": st.lists(st.one_of(module, fresh), max_size=3).map(zoo.list_of),
        "table": st.dictionaries(st.sampled_from("xyz"), variable, max_size=3).map(zoo.dict_of),
        "raw": size.map(lambda n: zoo.data(ones(n))),
        "static": st.sampled_from(["text", 3, jax.nn.relu]),
        "c": st.one_of(variable, module),
    }
    for name, strategy in some.items():
        if draw(
            st.sampled_from([True, True, True, False] if name != "c" else [False] * 4 + [True])
        ):
            attributes[name] = draw(strategy)
    return Tree(attributes)


@checked
def _takes_tree(model: Annotated[Tree, TreeState]) -> None: ...


@given(trees())
def test_in_place_accepts_exactly_what_the_state_fits(model: Tree) -> None:
    expected = fits(nnx.state(model), TreeState)
    assert fits(model, Annotated[Tree, TreeState]) is expected
    for _ in range(2):
        try:
            _takes_tree(model)
        except StateTypeError:
            assert not expected
        else:
            assert expected


# -- Transforms --------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [True, False], ids=["checked above", "checked below"])
@pytest.mark.parametrize("transform", [jax.jit, nnx.jit, jax.custom_vjp])
def test_transforms_that_keep_values(transform: Any, above: bool) -> None:
    traced: list[int] = []

    def loss(params: LinearState, x: Float[Array, "b din"]) -> Float[Array, ""]:
        traced.append(1)
        return (x @ params["kernel"][...]).sum()

    if transform is jax.custom_vjp:
        transformed = transform(loss if above else checked(loss))
        transformed.defvjp(lambda p, x: (loss(p, x), (p, x)), lambda kept, g: kept)
    else:
        transformed = transform(loss if above else checked(loss))
    function = checked(transformed) if above else transformed
    x = ones((4, 2))
    for _ in range(3):
        assert function(linear_state(), x).shape == ()
    if transform is not jax.custom_vjp:
        assert len(traced) == 1
    refused(function, linear_state(), ones((4, 3)))
    refused(function, linear_state(), x=ones((4, 3)))


def test_static_arguments_of_a_jitted_function() -> None:
    @checked
    @functools.partial(jax.jit, static_argnames=("flag", "n"))
    def use(x: Float[Array, "d"], flag: bool = True, *, n: int = 3) -> Float[Array, "n"]:
        return ones(n) if flag else x

    assert use(ones(2)).shape == (3,)
    assert use(ones(2), False).shape == (2,)
    assert use(ones(2), flag=True, n=4).shape == (4,)
    refused(use, ones(2), 1)
    assert use.lower(ones(2)).compile() is not None


@pytest.mark.parametrize("transform", [jax.grad, jax.value_and_grad, jax.checkpoint])
def test_gradients(transform: Any) -> None:
    @checked
    def loss(x: Float[Array, "din"], params: LinearState) -> Float[Array, ""]:
        assert isinstance(x, Float[Array, "din"])
        return (x @ params["kernel"][...]).sum() ** 2

    transform(loss)(ones(2), linear_state())
    jax.jit(transform(loss))(ones(2), linear_state())
    refused(transform(loss), ones(3), linear_state())


def test_gradients_of_a_state() -> None:
    @checked
    def loss(params: LinearState, x: Float[Array, "b din"]) -> Float[Array, ""]:
        return (x @ params["kernel"][...] + params["bias"][...]).sum()

    @checked
    def gradient(params: LinearState, x: Float[Array, "b din"]) -> LinearState:
        return jax.grad(loss)(params, x)

    for function in (gradient, jax.jit(gradient)):
        function(linear_state(), ones((4, 2)))
        refused(function, linear_state(), ones((4, 3)))


def test_gradients_of_a_module() -> None:
    @checked
    def loss(
        model: Annotated[nnx.Linear, LinearState], x: Float[Array, "b din"]
    ) -> Float[Array, ""]:
        return model(x).sum()

    @nnx.jit
    @checked
    def step(model: Annotated[nnx.Linear, LinearState], x: Float[Array, "b din"]) -> LinearState:
        value, grads = nnx.value_and_grad(loss)(model, x)
        assert value.shape == ()
        return nnx.grad(loss)(model, x) if x.shape[0] == 1 else grads

    for batch in (4, 4, 1):
        step(linear(), ones((batch, 2)))
    refused(step, linear(), ones((4, 3)))


def test_vmap_and_scan_and_eval_shape() -> None:
    @checked
    def one(params: LinearState, x: Float[Array, "din"]) -> Float[Array, "dout"]:
        return x @ params["kernel"][...] + params["bias"][...]

    @checked
    def body(carry: Float[Array, "d"], x: Float[Array, "d"]) -> tuple[Float[Array, "d"], None]:
        return carry + x, None

    params = linear_state()
    assert jax.vmap(one, in_axes=(None, 0))(params, ones((4, 2))).shape == (4, 3)
    stacked = jax.tree.map(lambda a: jnp.stack([a, a]), params)
    assert jax.vmap(one)(stacked, ones((2, 2))).shape == (2, 3)
    refused(jax.vmap(one, in_axes=(None, 0)), params, ones((4, 5)))
    assert jax.eval_shape(one, params, ones(2)).shape == (3,)
    refused(jax.eval_shape, one, params, ones(3))
    assert jax.lax.scan(body, ones(3), ones((5, 3)))[0].shape == (3,)
    refused(jax.lax.scan, body, ones(3), ones((5, 4)))
    assert nnx.vmap(one, in_axes=(None, 0))(params, ones((4, 2))).shape == (4, 3)


@pytest.mark.parametrize("transform", [jax.grad, jax.value_and_grad, jax.vmap, nnx.vmap])
def test_above_a_transform_that_changes_values_nothing_is_enforced(transform: Any) -> None:
    def loss(x: Float[Array, "d"]) -> Float[Array, ""]:
        return (x**2).sum()

    transformed = transform(loss)
    with pytest.warns(TypedStateWarning) as caught:
        assert checked(transformed) is transformed
    name = loss.__qualname__
    assert str(caught[0].message) == (
        f"{name} is not enforced: its values may differ from its annotations above this "
        "decorator, put @checked below it"
    )
    assert caught[0].filename == __file__


# -- What stays --------------------------------------------------------------------------------


def test_metadata_stays() -> None:
    def use(a: LinearState, /, b: int = 3, *args: int, c: str = "", **kwargs: float) -> int:
        """Docstring."""
        return 1

    use.extra = 5  # type: ignore[attr-defined]
    wrapped = checked(use)
    assert wrapped.__name__ == "use"
    assert wrapped.__qualname__ == use.__qualname__
    assert wrapped.__doc__ == "Docstring."
    assert wrapped.__module__ == __name__
    assert wrapped.__annotations__ == use.__annotations__
    assert wrapped.__wrapped__ is use  # type: ignore[attr-defined]
    assert wrapped.extra == 5  # type: ignore[attr-defined]
    assert inspect.signature(wrapped) == inspect.signature(use)
    jitted = jax.jit(use)
    assert inspect.signature(checked(jitted)) == inspect.signature(use)
    assert checked(jitted).__name__ == "use"


def test_checked_twice_is_checked_once() -> None:
    @checked
    def use(a: LinearState) -> None: ...

    assert checked(use) is use
    assert checked(jax.jit(use)) is not None


def test_nothing_to_enforce_is_nothing_around() -> None:
    def use(a, b: Any = 1, *args):  # type: ignore[no-untyped-def]
        return a

    assert checked(use) is use

    @typing.no_type_check
    def other(a: LinearState) -> None: ...

    assert checked(other) is other


def test_what_can_not_be_checked() -> None:
    with pytest.raises(TypeError, match="checked takes a function, a class or a property, not 3"):
        checked(3)


def test_a_hint_that_beartype_can_not_check_is_a_warning() -> None:
    def use(a: "typing.Unpack[int]", b: int) -> None: ...

    with pytest.warns(TypedStateWarning, match="is not enforced"):
        wrapped = checked(use)
    wrapped("anything", 1)
    refused(wrapped, "anything", "1")


def _frames(call: Callable[..., Any], *args: Any) -> list[str]:
    try:
        call(*args)
    except Exception as error:
        return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    raise AssertionError("nothing was raised")


@checked
def _refuses(params: LinearState, n: int) -> LinearState:
    return params if n == 1 else 1  # type: ignore[return-value]


@checked
def _yields(params: LinearState, n: int) -> Iterator[LinearState]:
    yield params
    if n:
        raise ZeroDivisionError
    yield 1  # type: ignore[misc]


@checked
async def _yields_async(params: LinearState, n: int) -> AsyncIterator[LinearState]:
    yield params
    if n:
        raise ZeroDivisionError
    yield 1  # type: ignore[misc]


@checked
async def _waits(params: LinearState, n: int) -> int:
    return 1 // n


@checked
@jax.custom_jvp
def _callable(params: LinearState, n: int) -> float:
    return 1 / n


@checked
def _late(params: _LaterState, n: int) -> float:
    return 1 / n


@checked
def _late_items(params: _LaterState, n: int) -> Iterator[float]:
    yield 1 / n


async def _all(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


@pytest.mark.parametrize(
    "call",
    [
        lambda s: _refuses(1, 1),
        lambda s: _refuses(s, "1"),
        lambda s: _refuses(s, 2),
        lambda s: list(_yields(1, 1)),
        lambda s: list(_yields(s, 0)),
        lambda s: list(_yields(s, 1)),
        lambda s: asyncio.run(_all(_yields_async(1, 1))),
        lambda s: asyncio.run(_all(_yields_async(s, 0))),
        lambda s: asyncio.run(_all(_yields_async(s, 1))),
        lambda s: asyncio.run(_waits(s, 0)),
        lambda s: asyncio.run(_waits(1, 0)),
        lambda s: _callable(1, 0),
        lambda s: _callable(s, "0"),
        lambda s: _late(s, 0),
        lambda s: _late(1, 0),
        lambda s: list(_late_items(s, 0)),
        lambda s: list(_late_items(1, 0)),
    ],
)
def test_tracebacks_hide_our_frames(call: Any) -> None:
    source = inspect.getfile(StateTypeError).rpartition("/")[0]
    assert not [name for name in _frames(call, linear_state()) if name.startswith(source)]


class _LaterState(TypedState):
    kernel: nnx.Param
    bias: nnx.Param


# -- Annotations -------------------------------------------------------------------------------


def test_forward_names_are_resolved_at_the_first_call() -> None:
    space: dict[str, Any] = {"checked": checked, "LinearState": LinearState, "__name__": "late"}
    source = """
from __future__ import annotations
@checked
def use(params: Later, other: list[Later]) -> Later: return params
@checked
async def wait(params: Later) -> Later: return params
@checked
async def items(params: Later):
    got = yield params
    yield got
"""
    exec(source, space)
    s = linear_state()
    with pytest.raises(SchemaError) as caught:
        space["use"](s, [])
    assert str(caught.value) == "use(): name 'Later' is not defined; define or import it"
    with pytest.raises(SchemaError) as mistake:
        exec("@checked\ndef bind(params: Bind[LinearState, 'dinn=3']): ...", globals(), space)
    assert str(mistake.value) == (
        "bind(params): Bind names the dim 'dinn' that LinearState doesn't have; did you mean 'din'?"
    )
    space["Later"] = LinearState
    assert space["use"](s, [s]) is s
    assert inspect.iscoroutinefunction(space["wait"])
    assert inspect.isasyncgenfunction(space["items"])
    refused(space["use"], s, [1])
    refused(lambda: asyncio.run(space["wait"](1)))

    async def talk() -> Any:
        running = space["items"](s)
        await anext(running)
        return await running.asend("hello")

    assert asyncio.run(talk()) == "hello"


def test_local_classes_and_aliases() -> None:
    class Local(TypedState):
        kernel: nnx.Param[Float[Array, "n"]]

    Alias = dict[str, Local]
    Number = typing.NewType("Number", int)
    dims = "n 2"

    @checked
    def use(params: Local, more: Alias, n: Number, x: Float[Array, dims]) -> None: ...

    s = state({"kernel": nnx.Param(ones(3))})
    use(s, {"a": s}, Number(3), ones((3, 2)))
    refused(use, s, {"a": 1}, 3, ones((3, 2)))
    refused(use, s, {"a": s}, "3", ones((3, 2)))
    refused(use, s, {"a": s}, 3, ones((4, 2)))


def test_a_local_function_that_calls_itself() -> None:
    @checked
    def factorial(n: int) -> int:
        return 1 if n == 0 else n * factorial(n - 1)

    assert factorial(4) == 24


def test_a_wrong_annotation_fails_at_decoration() -> None:
    with pytest.raises(SchemaError) as caught:

        @checked
        def use(params: list[Float]) -> None: ...

    name = "test_a_wrong_annotation_fails_at_decoration.<locals>.use"
    assert str(caught.value) == (
        f'{name}(params): Float alone is no array: write Float[Array, "..."]'
    )


def test_other_hints_are_beartypes() -> None:
    Number = TypeVar("Number", int, float)

    @checked
    def use(
        a: int | str,
        b: Callable[[int], int],
        c: type[nnx.Module],
        d: typing.Literal["x", "y"],
        e: Number,
        f: np.ndarray,
        g: jax.Array,
        h: nnx.Rngs,
        i: Mapping[str, list[int]],
        j: object,
    ) -> None: ...

    good: tuple[Any, ...] = (
        1, len, nnx.Linear, "x", 1.5, np.ones(2), ones(2), nnx.Rngs(0), {"a": [1]}, None,
    )  # fmt: skip
    wrong: tuple[Any, ...] = (1.5, 3, int, "z", "x", ones(2), np.ones(2), 3, {"a": ["1"]})
    use(*good)
    for index, bad in enumerate(wrong):
        refused(use, *good[:index], bad, *good[index + 1 :])


# -- Memory ------------------------------------------------------------------------------------


def test_no_array_is_kept_alive() -> None:
    @checked
    def use(
        params: LinearState,
        model: Annotated[nnx.Linear, LinearState],
        x: Float[Array, "b din"],
        *rest: Same[LinearState, "T"],
    ) -> tuple[LinearState, Float[Array, "b din"]]:
        return params, x

    def call(n: int) -> None:
        s = linear_state(n, 3)
        use(s, linear(n, 3), ones((4, n)), s, s)
        with pytest.raises(StateTypeError):
            use(s, linear(n, 3), ones((4, n + 1)))

    call(2)
    gc.collect()
    before = len(jax.live_arrays())
    for n in range(2, 6):
        call(n)
    gc.collect()
    assert len(jax.live_arrays()) == before


def test_no_state_is_kept_alive_without_the_collector() -> None:
    @checked
    def items(params: LinearState, n: int) -> Iterator[LinearState]:
        for _ in range(n):
            yield linear_state()

    s = linear_state()
    gc.disable()
    try:
        running = items(s, 2)
        first = weakref.ref(next(running))
        assert first() is None
    finally:
        gc.enable()
    running.close()


def test_a_wrapper_dies_with_its_function() -> None:
    def make() -> Any:
        held = linear()

        @checked
        def use(params: LinearState) -> Any:
            return held

        use(linear_state())
        return use, weakref.ref(held)

    gc.collect()
    gc.disable()
    try:
        use, held = make()
        assert held() is not None
        del use
        assert held() is None
    finally:
        gc.enable()


def test_frames_of_a_decorated_function_are_not_kept() -> None:
    def make() -> Any:
        unrelated = linear()

        class Local(TypedState):
            kernel: nnx.Param

        @checked
        def use(params: Local) -> None: ...

        return use, weakref.ref(unrelated)

    use, unrelated = make()
    gc.collect()
    assert unrelated() is None
    refused(use, 1)


def test_many_structures_are_bounded() -> None:
    @checked
    def use(params: LinearState, x: Float[Array, "din"]) -> LinearState:
        return params

    owner = use.__globals__["_enter"].__self__
    for n in range(1, 100):
        kernel = nnx.Param(jax.ShapeDtypeStruct((n, 1), jnp.float32))
        with contextlib.suppress(StateTypeError):
            use(state({"kernel": kernel}), ones(2))
    for n in range(1, 40):
        use(state({"kernel": nnx.Param(ones((n, 1)))}), ones(n))
    assert len(owner.calls.known) == 39
    assert all(len(item.plans._known) <= 16 for item in owner.ours)


def test_a_warning_filter_is_left_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @checked
        def use(params: LinearState) -> int:
            return 1

        assert use(linear_state()) == 1
