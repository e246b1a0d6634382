"""`Plus` lets what Flax adds to a model into a schema that forbids extras, and nothing else."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.zoo import Mlp, MlpState
from typedstate import Bind, Only, Plus, Rest, StateTypeError, TypedState, checked, explain, fits


def mlp() -> Mlp:
    return Mlp(2, 3, rngs=nnx.Rngs(0))


def test_lora_beside_the_kernels_of_a_model() -> None:
    """As qwix names them: siblings of the kernel, of a kind of their own."""
    model = mlp()
    for layer in (model.up, model.down):
        din, dout = leaf_shape(layer.kernel)
        layer.kernel_lora_a = nnx.LoRAParam(jnp.ones((din, 1)))
        layer.kernel_lora_b = nnx.LoRAParam(jnp.ones((1, dout)))
    found, hint = nnx.state(model), Plus[MlpState, nnx.LoRAParam]
    assert explain(found, hint).dims == {"d": 2, "hidden": 3}
    assert not fits(found, MlpState)
    assert fits(nnx.state(model, nnx.LoRAParam), Only[hint, nnx.LoRAParam])
    assert fits(nnx.state(model, nnx.Not(nnx.LoRAParam)), Rest[hint, nnx.LoRAParam])
    assert fits(nnx.state(model, nnx.Not(nnx.LoRAParam)), MlpState)


def leaf_shape(variable: Any) -> tuple[int, ...]:
    return tuple(variable[...].shape) if hasattr(variable, "get_value") else variable.value.shape


def test_lora_modules_that_stand_beside_a_layer() -> None:
    model = mlp()
    model.up.lora = nnx.LoRA(2, 1, 3, rngs=nnx.Rngs(0))
    assert fits(nnx.state(model), Plus[MlpState, nnx.LoRAParam])
    assert not fits(nnx.state(model), Plus[MlpState, nnx.Cache])


class WrappedState(TypedState):
    """A layer that ``nnx.LoRA`` wraps: the factors stand beside the module that was there."""

    base_module: Bind[zoo.LinearState, "din dout"]


def test_lora_around_a_layer() -> None:
    layer = nnx.LoRA(2, 1, 3, base_module=nnx.Linear(2, 3, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    hint = Plus[WrappedState, nnx.LoRAParam]
    assert explain(nnx.state(layer), hint).dims == {"din": 2, "dout": 3}
    report = explain(nnx.state(layer), WrappedState)
    assert [(found.path, found.code) for found in report.violations] == [
        ("lora_a", "extra"),
        ("lora_b", "extra"),
    ]


class Watched(nnx.Module):
    """Sows, perturbs and counts, each where the forward pass reaches it."""

    def __init__(self) -> None:
        self.mlp = mlp()
        self.calls = nnx.BatchStat(jnp.zeros(()))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.mlp(x)
        self.sow(nnx.Intermediate, "seen", x)
        self.mlp.up.sow(nnx.Intermediate, "norm", jnp.sum(x))
        return self.perturb("grads", x)


class WatchedState(TypedState):
    mlp: Bind[MlpState, "d hidden"]


def test_what_a_forward_pass_sows_perturbs_and_counts() -> None:
    model = Watched()
    for _ in range(2):  # the second pass appends to the tuples of the first
        model(jnp.ones((5, 2)))
        found = nnx.state(model)
        assert fits(found, Plus[WatchedState, nnx.Intermediate, nnx.BatchStat])  # subclasses, too
        assert not fits(found, Plus[WatchedState, nnx.Perturbation, nnx.BatchStat])
        assert not fits(found, Plus[WatchedState, nnx.Intermediate])
    nnx.pop(model, nnx.Intermediate)
    assert fits(nnx.state(model), Plus[WatchedState, nnx.BatchStat])


def test_statistics_with_a_schema_of_their_own_are_no_business_of_plus() -> None:
    class CountedState(WatchedState):
        calls: nnx.BatchStat[Float[Array, ""]]

    model = Watched()
    model(jnp.ones((5, 2)))
    hint = Plus[CountedState, nnx.Intermediate, nnx.Perturbation]
    assert fits(nnx.state(model), hint)
    found = zoo.as_dict(nnx.state(model))
    found["calls"] = zoo.leaf(nnx.BatchStat, jnp.zeros(3))
    assert [item.code for item in explain(nnx.State(found), hint).violations] == ["rank"]


def test_a_boundary_takes_what_was_added_and_says_what_was_not() -> None:
    @checked
    def use(state: Plus[WatchedState, nnx.Perturbation, nnx.BatchStat]) -> None: ...

    model = Watched()
    use(nnx.state(model))
    model(jnp.ones((5, 2)))
    with pytest.raises(StateTypeError) as error:
        use(nnx.state(model))
    assert str(error.value).splitlines()[1:3] == [
        "  state.mlp.up.norm: not declared, found Intermediate tuple [extra]",
        "  state.seen: not declared, found Intermediate tuple [extra]",
    ]
