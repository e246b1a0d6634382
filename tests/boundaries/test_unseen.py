"""`checked` is not seen: metadata and tracebacks are those of the function itself."""

from __future__ import annotations

import asyncio
import inspect
import traceback
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import jax
import pytest
from flax import nnx

from tests.boundaries.helpers import linear_state, refused
from tests.zoo import LinearState
from typedstate import StateTypeError, TypedState, TypedStateWarning, checked


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
