"""Postponed annotations with code in them: it finds the names of its module and function."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from beartype.vale import Is
from flax import nnx
from jaxtyping import Array, Float

from typedstate import StateTypeError, TypedState, checked, explain

LIMIT = 2.0


def is_positive(a: Any) -> bool:
    return bool((a > 0).all())


class Bounded(TypedState):
    w: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda a: bool(jnp.all(a < LIMIT))]]
    v: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda a: is_positive(a)]]
    u: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda a: all(x > 0 for x in a.shape)]]


def state(w: float, v: float) -> Any:
    return nnx.State(
        {k: nnx.Param(jnp.full(3, float(x))) for k, x in {"w": w, "v": v, "u": 1.0}.items()}
    )


def test_a_lambda_finds_the_names_of_its_module() -> None:
    report = explain(state(1, 1), Bounded)
    assert report, str(report)
    assert [item.path for item in explain(state(3, -1), Bounded).violations] == ["w", "v"]


def test_a_lambda_finds_the_names_of_the_function_around() -> None:
    most = 5.0

    def is_small(a: Any) -> bool:
        return bool((a < most).all())

    class Local(TypedState):
        w: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda a: is_small(a) and bool(a[0] < most)]]

    assert explain(nnx.State({"w": nnx.Param(jnp.ones(3))}), Local)
    assert not explain(nnx.State({"w": nnx.Param(jnp.full(3, 6.0))}), Local)

    @checked
    def takes(
        w: Annotated[Float[Array, "n"], Is[lambda a: is_small(a) and bool(a[0] < most)]],
    ) -> None: ...

    takes(jnp.ones(3))
    with pytest.raises(StateTypeError):
        takes(jnp.full(3, 6.0))
