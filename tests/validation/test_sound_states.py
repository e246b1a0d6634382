"""Sound states are accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests import zoo
from tests.validation.faults import WholeState, whole
from tests.validation.sound_states import SOUND
from typedstate import Pure, TypedState, explain, fits


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_a_sound_state_is_accepted(make: Callable[[], Any]) -> None:
    found = make()
    report = explain(found, WholeState)
    assert report, report
    assert isinstance(found, WholeState)
    assert isinstance(found, WholeState)  # from a plan, where there is one
    assert fits(found, WholeState)


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_a_module_is_accepted_in_place_exactly_when_its_state_is(animal: zoo.Animal) -> None:
    model = animal.make()
    for schema in {item.schema for item in zoo.ZOO} | {TypedState}:
        hint = Annotated[type(model), schema]
        assert bool(explain(model, hint)) == bool(explain(nnx.state(model), schema)), schema
    assert explain(model, Annotated[type(model), animal.schema]).dims == animal.dims
    assert not explain(nnx.state(model), Annotated[type(model), animal.schema])


def test_old_pure_dicts_are_accepted_as_pure_only() -> None:
    found = nnx.to_pure_dict(nnx.State({**whole(), "steps": jnp.int32(3)}))
    report = explain(found, Pure[WholeState])
    assert [(item.path, item.code) for item in report.violations] == [("steps", "array")]
