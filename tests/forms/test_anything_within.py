"""`Any` within a structured value: no form asks it to be an array."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.nnx.training.optimizer import OptVariable
from jaxtyping import Array, BFloat16, Float
from typing_extensions import TypedDict

from tests.zoo import leaf, state
from typedstate import Abstract, Cast, Like, Pure, Stacked, TypedState, Values, explain


@dataclasses.dataclass
class Described:
    x: Float[Array, "n"]
    y: Any


@dataclasses.dataclass
class PartlyDescribed:
    x: Float[Array, "n"]
    y: Any | None


class Pair(NamedTuple):
    x: Float[Array, "n"]
    y: Any


class Entry(TypedDict):
    x: Float[Array, "n"]
    y: Any


@dataclasses.dataclass
class Calibration:
    inner: Described
    notes: list[Any]
    settings: dict[str, Any]


Stats = tuple[Float[Array, "n"], Any]
Sown = dict[str, Float[Array, "n"] | Any]


class DescribedState(TypedState):
    stat: nnx.Param[Described]


class PartlyDescribedState(TypedState):
    stat: nnx.Param[PartlyDescribed]


class PairState(TypedState):
    stat: nnx.Param[Pair]


class EntryState(TypedState):
    stat: nnx.Param[Entry]


class CalibrationState(TypedState):
    stat: nnx.Param[Calibration]


class StatsState(TypedState):
    stat: nnx.Param[Stats]


class SownState(TypedState):
    stat: nnx.Param[Sown]


#: A schema, and a value of its leaf around an array.
VALUES: dict[Any, Callable[[Any], Any]] = {
    DescribedState: lambda x: Described(x, "text"),
    PartlyDescribedState: lambda x: PartlyDescribed(x, "text"),
    PairState: lambda x: Pair(x, "text"),
    EntryState: lambda x: {"x": x, "y": "text"},
    CalibrationState: lambda x: Calibration(Described(x, len), [1, "b"], {"bits": 8}),
    StatsState: lambda x: (x, "text"),
    SownState: lambda x: {"x": x, "y": "text"},
}


def stacked(x: Any) -> Any:
    return jnp.stack([x, x])


def narrowed(x: Any) -> Any:
    return x.astype(jnp.bfloat16)


def abstracted(x: Any) -> Any:
    return jax.ShapeDtypeStruct(x.shape, x.dtype)


#: A form, what it makes of an array, and the leaf around a value.
FORMS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "Stacked": (lambda s: Stacked[s, "layers"], stacked, lambda v: leaf(nnx.Param, v)),
    "Cast": (lambda s: Cast[s, BFloat16], narrowed, lambda v: leaf(nnx.Param, v)),
    "Abstract": (lambda s: Abstract[s], abstracted, lambda v: leaf(nnx.Param, v)),
    "Abstract of Stacked": (
        lambda s: Abstract[Stacked[s, "layers"]],
        lambda x: abstracted(stacked(x)),
        lambda v: leaf(nnx.Param, v),
    ),
    "Stacked of Cast": (
        lambda s: Stacked[Cast[s, BFloat16], "layers"],
        lambda x: narrowed(stacked(x)),
        lambda v: leaf(nnx.Param, v),
    ),
    "Like a kind": (
        lambda s: Like[s, OptVariable],
        lambda x: x,
        lambda v: leaf(OptVariable, v),
    ),
    "Like NumPy": (lambda s: Like[s, np.ndarray], np.asarray, lambda v: v),
    "Pure": (lambda s: Pure[s], lambda x: x, lambda v: v),
    "Values": (lambda s: Values[s], lambda x: x, lambda v: v),
}


def tree_of(form: str, value: Any) -> Any:
    return {"stat": value} if form == "Pure" else state({"stat": value})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("schema", VALUES, ids=lambda schema: schema.__name__)
def test_anything_within_a_value_stays_so(schema: Any, form: str) -> None:
    make, change, wrap = FORMS[form]
    right = tree_of(form, wrap(VALUES[schema](change(jnp.ones(3)))))
    report = explain(right, make(schema))
    assert report, report


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            Stacked[StatsState, "layers"],
            'stat[0]: expected rank 2 ("layers n"), found shape (3,) [rank]',
        ),
        (Cast[StatsState, BFloat16], "stat[0]: expected dtype BFloat16, found float32[3] [dtype]"),
        (
            Abstract[StatsState],
            'stat[0]: expected Float[ShapeDtypeStruct, "n"], found float32[3] '
            "(a concrete value: jax.eval_shape gives abstract ones) [array]",
        ),
    ],
    ids=str,
)
def test_the_arrays_beside_it_are_held_to_the_form(form: Any, message: str) -> None:
    report = explain(state({"stat": leaf(nnx.Param, (jnp.ones(3), "text"))}), form)
    assert [str(violation) for violation in report.violations] == [message]


class OpenState(TypedState):
    stat: nnx.Param


@pytest.mark.parametrize("form", [Stacked[OpenState, "layers"], Abstract[OpenState]])
def test_a_leaf_of_which_nothing_is_said_is_an_array(form: Any) -> None:
    assert not explain(state({"stat": leaf(nnx.Param, "text")}), form)
