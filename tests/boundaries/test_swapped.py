"""Values that stand in each other's place are named as that."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, BFloat16, Float, Float32

from tests.zoo import Mlp, MlpState
from typedstate import Cast, Only, StateTypeError, TypedStateWarning, checked

Params = Only[MlpState, nnx.Param]
Half, Full = Cast[Params, BFloat16], Cast[Params, Float32]


def params(hidden: int = 3) -> Any:
    return nnx.state(Mlp(2, hidden, rngs=nnx.Rngs(0)), nnx.Param)


def half(tree: Any) -> Any:
    return jax.tree.map(lambda array: array.astype(jnp.bfloat16), tree)


def refusal(call: Any, *args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(StateTypeError) as error:
        call(*args, **kwargs)
    return str(error.value).splitlines()


@checked
def average(weights: Half, ema: Full, decay: float = 0.9) -> None: ...


def test_an_average_and_its_parameters() -> None:
    for _ in range(3):
        average(half(params()), params())
    assert refusal(average, params(), half(params()))[:6] == [
        "the arguments of average() do not fit: 8 violations",
        "  cause: weights and ema are swapped",
        "  weights.up.kernel: expected dtype BFloat16, found float32[2,3] [dtype]",
        "  weights.up.bias: expected dtype BFloat16, found float32[3] [dtype]",
        "  weights.down.kernel: expected dtype BFloat16, found float32[3,2] [dtype]",
        "  and 5 more of that cause",
    ]
    assert refusal(average, ema=half(params()), weights=params())[1] == (
        "  cause: weights and ema are swapped"
    )


def test_what_would_not_fit_there_either_is_not() -> None:
    assert "swapped" not in str(refusal(average, params(), params()))
    assert "swapped" not in str(refusal(average, params(), half(params(4))))


def test_a_third_argument_may_be_wrong_by_itself() -> None:
    @checked
    def step(weights: Half, ema: Full, x: Float[Array, "batch d"]) -> None: ...

    lines = refusal(step, params(), half(params()), jnp.ones(2))
    assert lines[1] == "  cause: weights and ema are swapped"
    assert '  x: expected rank 2 ("batch d"), found shape (2,) [rank]' in lines


def test_a_result_that_is_a_swapped_tuple() -> None:
    @checked
    def loss(tree: Params, swap: bool) -> tuple[Float[Array, ""], Params]:
        return (tree, jnp.float32(1)) if swap else (jnp.float32(1), tree)  # type: ignore[return-value]

    loss(params(), False)
    assert refusal(loss, params(), True)[1:4] == [
        "  cause: return[0] and return[1] are swapped",
        "  return[0]: expected Float[Array, \"\"], found a state with keys 'down', 'up' [array]",
        "  return[1]: expected a state Only[MlpState, Param], found float32[] [container]",
    ]


def test_dims_of_the_call_count() -> None:
    @checked
    def distil(student: Params, x: Float[Array, "batch d"]) -> tuple[Half, Full]:
        return params(4), half(params(4))

    lines = refusal(distil, params(), jnp.ones((5, 2)))  # swapped, they are still of another size
    assert "swapped" not in str(lines)


def test_what_is_spread_stays_where_it_is() -> None:
    @checked
    def step(*trees: Half, **named: Full) -> None: ...

    assert "swapped" not in str(refusal(step, params(), ema=half(params())))


def test_values_that_are_yielded() -> None:
    @checked
    def steps() -> Iterator[tuple[Half, Full]]:
        yield params(), half(params())

    assert refusal(lambda: next(steps()))[1] == "  cause: yield[0] and yield[1] are swapped"


def test_in_mode_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typedstate.boundaries.signature.MODE", "warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        average(params(), half(params()))
    assert [one.category for one in caught] == [TypedStateWarning]
    assert "cause: weights and ema are swapped" in str(caught[0].message)
