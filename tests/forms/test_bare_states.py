"""Forms over a bare ``nnx.State`` check every leaf, whatever the model is."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import BFloat16

from tests import zoo
from tests.agreement import warm
from tests.zoo import state
from typedstate import (
    Abstract,
    Cast,
    Like,
    Only,
    Pure,
    Shardings,
    Specs,
    StateOf,
    Values,
    explain,
    fits,
)


def concrete() -> Any:
    return nnx.state(zoo.ConvNet(1, 2, 4, nnx.Rngs(0)))


def abstracted() -> Any:
    return jax.eval_shape(concrete)


def placed() -> Any:
    mesh = jax.sharding.Mesh(jax.devices()[:1], ("x",))
    return jax.tree.map(lambda _: NamedSharding(mesh, P()), nnx.pure(concrete()))


def half() -> Any:
    def cast(leaf: Any) -> Any:
        return leaf.astype("bfloat16") if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, concrete())


@pytest.mark.parametrize("bare", [nnx.State, StateOf[Any]])
def test_leaves_are_what_the_form_says(bare: Any) -> None:
    for hint, right in [
        (Abstract[bare], abstracted()),
        (Shardings[bare], placed()),
        (Cast[bare, BFloat16], half()),
        (Values[bare], nnx.pure(concrete())),
        (Pure[bare], nnx.to_pure_dict(concrete())),
        (Abstract[Cast[bare, BFloat16]], jax.eval_shape(half)),
        (
            Abstract[Only[bare, nnx.Param]],
            jax.eval_shape(lambda: nnx.filter_state(half(), nnx.Param)),
        ),
    ]:
        assert explain(right, hint), explain(right, hint)
        assert not fits(concrete(), hint), hint


def test_reports_say_what_a_leaf_should_be() -> None:
    one = state({"w": nnx.Param(jnp.ones(2))})
    assert str(explain(one, Abstract[nnx.State])) == (
        "does not fit Abstract[State]: 1 violation\n"
        "  w: expected jax.ShapeDtypeStruct, found Param float32[2] [predicate]"
    )
    assert str(explain(one, Cast[nnx.State, BFloat16])).splitlines()[1] == (
        "  w: expected dtype BFloat16, found Param float32[2] [predicate]"
    )
    assert str(explain(one, Like[nnx.State, nnx.OptState])).splitlines()[1] == (
        "  w: expected OptState, found Param float32[2] [predicate]"
    )
    assert str(explain(one, Specs[nnx.State])).splitlines()[1] == (
        "  w: expected a PartitionSpec, found Param float32[2] [predicate]"
    )


def test_kinds_are_those_of_like_until_values_have_none() -> None:
    moments = state({"w": nnx.OptState(jnp.ones(2)), "b": {"c": nnx.OptState(None)}})
    assert fits(moments, Like[nnx.State, nnx.OptState])
    assert not fits(state({"w": jnp.ones(2)}), Like[nnx.State, nnx.OptState])
    assert fits(state({"w": jnp.ones(2)}), Values[Like[nnx.State, nnx.OptState]])


def test_specs_stand_for_variables_or_in_them() -> None:
    assert fits(state({"w": P("x"), "b": {"c": nnx.Param(P())}}), Specs[nnx.State])
    assert not fits(state({"w": P("x"), "b": {"c": nnx.Param(jnp.ones(2))}}), Specs[nnx.State])


def test_a_repeated_value_is_asked_again() -> None:
    doors = warm(Abstract[nnx.State], state({"w": nnx.Param(jax.ShapeDtypeStruct((2,), "int8"))}))
    assert doors.ask(state({"w": nnx.Param(jax.ShapeDtypeStruct((2,), "int8"))}))
    assert not doors.ask(state({"w": nnx.Param(jnp.ones(2, "int8"))}))
    assert not doors.ask(state({"w": nnx.Param(P())}))
