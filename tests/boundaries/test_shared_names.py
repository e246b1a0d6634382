"""The names of dims belong to one call, and jaxtyping knows them in its body."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.boundaries.helpers import T, first_line, linear_state, ones, refused, shape_of
from tests.zoo import LinearState, Mlp, MlpState
from typedstate import Only, Same, Scoped, StateTypeError, checked


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
