"""``#b`` met by an axis of size 1 binds nothing, as in jaxtyping."""

from typing import Any

import jax.numpy as jnp
import pytest
from beartype import beartype
from flax import nnx
from jaxtyping import Array, Float, jaxtyped

from typedstate import StateTypeError, TypedState, checked, explain


def zeros(*shape: int) -> Any:
    return jnp.zeros(shape)


def result(x: Float[Array, "#b d"], out: Any) -> Float[Array, "b d"]:
    return out


def two(x: Float[Array, "#b"], y: Float[Array, "#b"]) -> Float[Array, "b"]:
    return jnp.broadcast_to(x + y, jnp.broadcast_shapes(x.shape, y.shape))


def arguments(x: Float[Array, "#b"], y: Float[Array, "b"]) -> None: ...


def runs(x: Float[Array, "#*b"], y: Float[Array, "*b"]) -> None: ...


CALLS = [
    (result, (zeros(1, 2), zeros(4, 2))),
    (result, (zeros(4, 2), zeros(4, 2))),
    (result, (zeros(1, 2), zeros(1, 2))),
    (result, (zeros(4, 2), zeros(5, 2))),
    (result, (zeros(4, 2), zeros(1, 2))),
    (two, (zeros(1), zeros(4))),
    (two, (zeros(1), zeros(1))),
    (two, (zeros(3), zeros(4))),
    (arguments, (zeros(1), zeros(4))),
    (arguments, (zeros(4), zeros(4))),
    (arguments, (zeros(3), zeros(4))),
    (runs, (zeros(1, 1), zeros(3, 4))),
    (runs, (zeros(3, 1), zeros(3, 4))),
    (runs, (zeros(3, 2), zeros(3, 4))),
]


def _fits(function: Any, args: Any) -> bool:
    try:
        function(*args)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("first", range(len(CALLS)))
def test_as_jaxtyping_decides(first: int) -> None:
    function, _ = CALLS[first]
    ours, theirs = checked(function), jaxtyped(function, typechecker=beartype)
    for other, args in [CALLS[first], *CALLS, CALLS[first]]:
        if other is function:
            assert _fits(ours, args) is _fits(theirs, args), (function.__name__, args)


class Bias(TypedState):
    scale: nnx.Param[Float[Array, "#b d"]]
    shift: nnx.Param[Float[Array, "#b d"]]


def test_in_a_state() -> None:
    one = nnx.State({"scale": nnx.Param(zeros(1, 2)), "shift": nnx.Param(zeros(1, 2))})
    report = explain(one, Bias)
    assert report
    assert dict(report.dims) == {"d": 2}
    both = nnx.State({"scale": nnx.Param(zeros(1, 2)), "shift": nnx.Param(zeros(4, 2))})
    assert dict(explain(both, Bias).dims) == {"b": 4, "d": 2}

    @checked
    def step(tree: Bias, x: Float[Array, "b d"]) -> Float[Array, "b d"]:
        return x

    for size in (4, 5, 1, 4):
        step(one, zeros(size, 2))
    step(both, zeros(4, 2))
    with pytest.raises(StateTypeError):
        step(both, zeros(5, 2))
