"""Examples and differences of generic schemas: uses of one type argument agree."""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx
from hypothesis import HealthCheck, given, settings, strategies as st
from jaxtyping import Array, Float

from tests.agreement.draws import Two
from typedstate import Bind, Having, Only, StateMap, TypedState, diff, explain
from typedstate.layers import AdamState, LinearState, OptimizerState
from typedstate.testing import example, states


class AdapterState(TypedState):
    lora: nnx.LoRAParam[Float[Array, "n"]] | None


class NetState(TypedState):
    head: Bind[LinearState, "din=d dout=classes"]
    free: LinearState


class DeepState(TypedState):
    blocks: StateMap[int, LinearState]
    adapters: StateMap[str, AdapterState] | None


class Biased(TypedState):
    head: Bind[Having[LinearState, "bias"], "din=d dout=classes"]
    free: LinearState


def optimizer(model: Any) -> Any:
    return OptimizerState[AdamState[Only[model, nnx.Param]]]


GENERIC = [
    optimizer(NetState),
    optimizer(DeepState),
    Two[Only[DeepState, nnx.LoRAParam]],
    Two[StateMap[str, NetState]],
    Two[LinearState],
    Two[Two[LinearState]],
    Bind[Two[LinearState], ""],
    Two[Bind[LinearState, "din=d"]],
    Two[StateMap[int, LinearState]],
    StateMap[int, Two[LinearState]],
]


@pytest.mark.parametrize("hint", GENERIC, ids=str)
@given(st.data())
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_states_of_generic_schemas_fit_them(hint: Any, data: st.DataObject) -> None:
    value: Any = data.draw(states(hint))
    assert explain(value, hint), explain(value, hint)
    assert explain(example(hint), hint)


@pytest.mark.parametrize("hint", GENERIC, ids=str)
def test_a_generic_schema_is_the_same_as_itself(hint: Any) -> None:
    assert str(diff(hint, hint)).endswith(": the same")


def test_what_differs_in_a_type_argument_is_named_where_it_stands() -> None:
    found = str(diff(optimizer(NetState), optimizer(Biased))).splitlines()
    assert found[1:] == [
        "  ~ opt_state[0].mu.head.bias: presence was may be absent, is "
        'OptVariable[Inexact[Array, "dout"]] [breaks forward]',
        "  ~ opt_state[0].nu.head.bias: presence was may be absent, is "
        'OptVariable[Float[Array, "dout"]] [breaks forward]',
    ]
