"""`Exactly` and `Like`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, BFloat16, Float

from tests import zoo
from tests.zoo import LinearState, MlpState, state
from typedstate import Cast, Exactly, Like, Only, SchemaError, StateMap, explain, fits


def test_exactly_refuses_subclasses() -> None:
    hint = StateMap[str, Exactly[nnx.Param[Float[Array, "n"]]]]
    assert fits(state({"a": nnx.Param(jnp.ones(2))}), hint)
    assert str(explain(state({"a": nnx.LoRAParam(jnp.ones(2))}), hint)) == (
        'does not fit StateMap[str, Exactly[Param[Float[Array, "n"]]]]: 1 violation\n'
        '  a: expected Exactly[Param[Float[Array, "n"]]], found LoRAParam float32[2] [kind]'
    )


def test_like_follows_the_moments_of_an_optimizer() -> None:
    model = zoo.Mlp(2, 3, rngs=nnx.Rngs(0))
    params = nnx.state(model, nnx.Param)
    moments = nnx.state(zoo.optimizer(zoo.optax.adam(0.1)))["opt_state"][0]["mu"]
    hint = Like[Only[MlpState, nnx.Param], nnx.OptState]
    assert explain(moments, hint).dims == {"d": 2, "hidden": 3}
    assert not fits(params, hint)
    assert not fits(moments, Only[MlpState, nnx.Param])


def test_like_takes_a_union_of_kinds_and_what_masks_a_leaf() -> None:
    import optax

    masked = optax.MaskedNode()
    found = state(
        {
            "kernel": nnx.OptState(jnp.ones((2, 3), "bfloat16")),
            "bias": nnx.OptState(masked),
        }
    )
    assert fits(found, Like[Cast[LinearState, BFloat16], nnx.OptState | optax.MaskedNode])
    full = state({"kernel": nnx.OptState(jnp.ones((2, 3))), "bias": nnx.OptState(masked)})
    assert fits(full, Like[LinearState, nnx.OptState | optax.MaskedNode])
    assert not fits(full, Like[LinearState, nnx.OptState])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            BFloat16,
            "Like[LinearState, BFloat16]: BFloat16 is a dtype: write Cast[LinearState, BFloat16]",
        ),
        (
            nnx.OptState | BFloat16,
            "Like[LinearState, OptState | BFloat16]: BFloat16 is a dtype: write "
            "Like[Cast[LinearState, BFloat16], OptState]",
        ),
    ],
)
def test_a_dtype_is_refused_with_the_form_that_takes_it(other: Any, message: str) -> None:
    with pytest.raises(SchemaError) as raised:
        Like[LinearState, other]
    assert str(raised.value) == message
