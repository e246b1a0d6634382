"""`Exactly` and `Like`."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, BFloat16, Float

from tests import zoo
from tests.zoo import LinearState, MlpState, state
from typedstate import Exactly, Like, Only, StateMap, explain, fits


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


def test_like_takes_a_union_of_kinds_dtypes_and_what_masks_a_leaf() -> None:
    import optax

    masked = optax.MaskedNode()
    found = state(
        {
            "kernel": nnx.OptState(jnp.ones((2, 3), "bfloat16")),
            "bias": nnx.OptState(masked),
        }
    )
    assert fits(found, Like[LinearState, nnx.OptState | BFloat16 | optax.MaskedNode])
    full = state({"kernel": nnx.OptState(jnp.ones((2, 3))), "bias": nnx.OptState(masked)})
    assert fits(full, Like[LinearState, nnx.OptState | optax.MaskedNode])
    assert not fits(full, Like[LinearState, nnx.OptState])
