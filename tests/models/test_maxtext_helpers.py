"""What MaxText's helpers do, typed, carries a training from its shapes to its steps."""

from __future__ import annotations

import jax
import pytest
from flax import nnx

from tests.models.maxtext_helpers import shardings_of, specs_of, with_shardings
from tests.zoo.meshes import mesh_of, set_mesh
from tests.zoo.sharded_transformer import (
    RULES,
    TrainingState,
    abstract_training,
    batch,
    loss_of,
    new_training,
)
from typedstate import PlacedBy, Specs, checked, explain

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def test_the_helpers_carry_a_training_from_its_shapes_to_its_steps() -> None:
    mesh = mesh_of()
    graphdef, abstract = abstract_training(mesh)
    shardings = shardings_of(abstract)
    specs = specs_of(shardings)
    again = with_shardings(abstract, shardings)
    assert explain(specs, Specs[TrainingState]).unknown == ()
    assert jax.tree.leaves(again) == jax.tree.leaves(abstract)

    @checked
    def start() -> TrainingState:
        state = nnx.state(new_training())
        return jax.lax.with_sharding_constraint(state, shardings)

    @checked
    def step(state: TrainingState, tokens: jax.Array) -> tuple[TrainingState, jax.Array]:
        training = nnx.merge(graphdef, state)
        loss, grads = nnx.value_and_grad(loss_of)(training.model, tokens)
        training.update(grads)
        return nnx.state(training), loss

    compiled = jax.jit(step, out_shardings=(shardings, None))
    losses = []
    with set_mesh(mesh):
        state = jax.jit(start, out_shardings=shardings)()
        for _ in range(20):
            state, loss = compiled(state, batch(mesh))
            losses.append(float(loss))
    assert losses[-1] < losses[0] / 2
    report = explain(state, PlacedBy[TrainingState, RULES])
    assert report, report
    assert report.unknown == ()
