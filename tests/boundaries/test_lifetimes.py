"""A boundary keeps no value, function or frame alive, and remembers boundedly many."""

from __future__ import annotations

import contextlib
import gc
import warnings
import weakref
from collections.abc import Iterator
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.boundaries.helpers import T, linear, linear_state, ones, refused
from tests.zoo import LinearState, state
from typedstate import Same, StateTypeError, TypedState, checked


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
    assert all(len(item.structures._known) <= 16 for item in owner.ours)


def test_a_warning_filter_is_left_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @checked
        def use(params: LinearState) -> int:
            return 1

        assert use(linear_state()) == 1
