"""Annotations that are resolved late, wrong ones, and those that beartype checks."""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.boundaries.helpers import linear_state, ones, refused
from tests.zoo import LinearState, state
from typedstate import Bind, SchemaError, TypedState, checked


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
    names = {"checked": checked, "Bind": Bind, "LinearState": LinearState}
    with pytest.raises(SchemaError) as mistake:
        exec("@checked\ndef bind(params: Bind[LinearState, 'dinn=3']): ...", names, space)
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
