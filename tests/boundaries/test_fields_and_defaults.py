"""Fields of a dataclass are checked in either order; a default is not, though passed it is."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from typedstate import StateTypeError, TypedState, checked


class WeightState(TypedState):
    w: nnx.Param[Float[Array, "n"]]


def state(*shape: int) -> Any:
    return {"w": zoo.leaf(nnx.Param, jnp.ones(shape))}


@dataclasses.dataclass
@checked
class Above:
    state: WeightState
    x: Float[Array, "n"]


@checked
@dataclasses.dataclass
class Below:
    state: WeightState
    x: Float[Array, "n"]


@dataclasses.dataclass(frozen=True, slots=True)
@checked
class Slotted:
    state: WeightState


@checked
class Plain:
    state: WeightState


@pytest.mark.parametrize("cls", [Above, Below])
def test_either_order_checks_the_fields(cls: Any) -> None:
    for _ in range(3):
        assert cls(state(3), jnp.ones(3)).x.shape == (3,)
        with pytest.raises(StateTypeError):
            cls(state(3), jnp.ones(4))
        with pytest.raises(StateTypeError):
            cls(state(3, 3), x=jnp.ones(3))


def test_slots_copies_and_pickles() -> None:
    with pytest.raises(StateTypeError):
        Slotted(state(3, 3))
    kept = Slotted(state(3))
    assert copy.copy(kept).state is kept.state
    above = copy.deepcopy(Above(state(3), jnp.ones(3)))
    assert pickle.loads(pickle.dumps(dataclasses.replace(above, state=state(3)))).x.shape == (3,)


def test_a_class_that_becomes_no_dataclass_is_as_it_was() -> None:
    assert isinstance(Plain(), Plain)
    with pytest.raises(TypeError, match=r"Plain\(\) takes no arguments"):
        Plain(1)  # type: ignore[call-arg]


WRONG = jnp.ones((2, 2))


@checked
def takes(x: Float[Array, "n"] = WRONG, *, y: int = 300_000, z: Float[Array, "n"] = None) -> Any:  # type: ignore[assignment]
    return x, y, z


def test_a_default_that_is_passed_is_checked() -> None:
    assert takes()[0] is WRONG
    assert takes(jnp.ones(2), y=7)[1] == 7
    with pytest.raises(StateTypeError):
        takes(WRONG)
    with pytest.raises(StateTypeError):
        takes(x=WRONG)
    assert takes(z=None)[2] is None
    assert takes(jnp.ones(2), z=jnp.ones(2))[2].shape == (2,)


def test_the_signature_shows_the_default() -> None:
    assert inspect.signature(takes).parameters["x"].default is WRONG
