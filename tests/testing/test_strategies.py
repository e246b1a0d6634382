"""Test data: what is made fits, what is broken is refused where it says."""

from __future__ import annotations

import subprocess
import sys
import zlib
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.vale import Is
from flax import nnx
from hypothesis import HealthCheck, given, settings, strategies as st
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests import zoo
from tests.random_hints import Case, form_cases
from typedstate import (
    Abstract,
    Alias,
    Flat,
    Like,
    Only,
    Placed,
    Pure,
    Rest,
    SchemaDocument,
    SchemaError,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    TypedState,
    Values,
    abstract,
    check,
    diff,
    explain,
    fits,
)
from typedstate.testing import BrokenState, broken_states, example, states

SCHEMAS = list({animal.schema.__name__: animal.schema for animal in zoo.ZOO}.values())
FORMS = [
    Only[zoo.ConvNetState, nnx.Param],
    Rest[zoo.ConvNetState, nnx.Param],
    Pure[zoo.MlpState],
    Values[zoo.MlpState],
    Abstract[zoo.ConvNetState],
    Shardings[zoo.MlpState],
    Specs[zoo.MlpState],
    Stacked[zoo.MlpState, "layers"],
    Like[zoo.MlpState, nnx.optimizer.OptVariable],
    StateMap[int, zoo.LinearState],
    tuple[zoo.LinearState, Float[Array, "batch din"]],
    zoo.LinearState | zoo.MlpState,
    Flat[zoo.MlpState],
    Flat[Pure[zoo.StackState], "/"],
    tuple[Flat[zoo.LinearState], Float[Array, "batch din"]],
]


class FixedState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "4 d"]], P("x", None)]
    blocks: StateMap[int, zoo.LinearState]


@pytest.mark.parametrize("hint", [*SCHEMAS, *FORMS, FixedState], ids=str)
def test_an_example_fits(hint: Any) -> None:
    assert fits(example(hint, 0), hint), explain(example(hint, 0), hint)


def test_an_example_begins_as_a_layer_does() -> None:
    state: Any = example(zoo.ConvNetState, jax.random.key(1), f=64, classes=32)
    kernel = np.asarray(state["head"]["kernel"][...])
    assert kernel.shape == (64, 32)
    assert 0.8 < kernel.std() * 8 < 1.2
    assert float(jnp.sum(jnp.abs(state["head"]["bias"][...]))) == 0
    norm = state["norm"]
    assert norm["scale"][...].tolist() == norm["var"][...].tolist() == [1.0] * 64
    assert explain(state, zoo.ConvNetState).dims == {"c": 3, "f": 64, "classes": 32}


def test_an_example_depends_on_the_key_alone() -> None:
    one, again, other = (example(zoo.LinearState, seed) for seed in (1, 1, 2))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, one, again))
    assert not jax.tree.all(jax.tree.map(jnp.array_equal, one, other))


def test_an_example_refuses_what_it_does_not_know() -> None:
    with pytest.raises(SchemaError) as error:
        example(zoo.LinearState, 0, dinn=3)
    assert str(error.value) == ("example(LinearState): there is no dim 'dinn'; there are din, dout")

    class Picky(TypedState):
        x: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda array: array.shape == (4,)]]

    with pytest.raises(SchemaError, match=r"example\(Picky\) can't be made: x: .* refuses"):
        example(Picky, 0)
    assert fits(example(Picky, 0, n=4), Picky)


@pytest.mark.skipif(len(jax.devices()) < 8, reason="a mesh of eight devices")
def test_an_example_on_a_mesh_is_placed() -> None:
    class SplitState(TypedState):
        kernel: Annotated[nnx.Param[Float[Array, "d h"]], P("x", None)]

    mesh = jax.sharding.Mesh(np.asarray(jax.devices()[:8]), ("x",))
    assert fits(example(SplitState, 0, mesh=mesh), Placed[SplitState])


@pytest.mark.parametrize("hint", [*SCHEMAS[:8], *FORMS], ids=str)
@given(st.data())
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
def test_states_fit(hint: Any, data: st.DataObject) -> None:
    value = data.draw(states(hint))
    assert fits(value, hint), explain(value, hint)


@pytest.mark.parametrize(
    "hint",
    [zoo.ConvNetState, zoo.AttentionState, zoo.StackState, FixedState, Pure[zoo.MlpState],
     Only[zoo.ConvNetState, nnx.Param], Abstract[zoo.MlpState], Stacked[zoo.MlpState, "4"],
     Flat[zoo.StackState], Flat[FixedState, "."], StateMap[int, zoo.LinearState]],
    ids=str,
)  # fmt: skip
@given(st.data())
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_broken_states_are_refused_where_they_say(hint: Any, data: st.DataObject) -> None:
    broken: BrokenState = data.draw(broken_states(hint))
    report = explain(broken.value, hint)
    found = {(item.code, item.path) for item in report.violations}
    assert (broken.code, broken.path) in found, (broken.name, str(report))


@given(form_cases(), st.data())
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_random_hints_have_examples_after_their_document_too(
    case: Case, data: st.DataObject
) -> None:
    value: Any = data.draw(states(case.hint))
    assert fits(value, case.hint), explain(value, case.hint)
    read = SchemaDocument.of(case.hint).to_schema()
    assert check(value, read) is value
    if not hasattr(value, "from_sorted_keys_values"):  # a FlatState, which `diff` does not read
        assert not diff(value, read)


def test_a_tree_whose_paths_have_no_order_is_flat_too() -> None:
    class Mixed(TypedState):
        first: Annotated[zoo.LinearState, Alias(0)]
        last: zoo.LinearState

    made: Any = example(Flat[Mixed], 0)
    pairs = made.items() if isinstance(made, dict) else made  # Flax sorts the paths, or can't
    assert {path for path, _ in pairs} == {
        (0, "kernel"),
        (0, "bias"),
        ("last", "kernel"),
        ("last", "bias"),
    }
    assert fits(made, Flat[Mixed])
    shapes = abstract(Flat[Mixed], like=made)
    assert fits(shapes, Flat[Abstract[Mixed]])


@given(states(zoo.LinearState, din=3))
@settings(max_examples=5)
def test_sizes_that_are_given_do_not_vary(state: Any) -> None:
    assert state["kernel"][...].shape[0] == 3


def test_the_fixture(typedstate_example: Any) -> None:
    state = typedstate_example(zoo.LinearState, din=2, dout=3)
    assert explain(state, zoo.LinearState).dims == {"din": 2, "dout": 3}
    # The same in every run of the test, with workers or without.
    here = "tests/testing/test_strategies.py::test_the_fixture"
    again = example(zoo.LinearState, zlib.crc32(here.encode()), din=2, dout=3)
    assert all(map(np.array_equal, jax.tree.leaves(state), jax.tree.leaves(again)))


def test_the_plugin_imports_no_flax_and_an_example_no_hypothesis() -> None:
    code = """
import sys
import typedstate.pytest_plugin
assert not {"flax", "jax", "hypothesis"} & set(sys.modules)
from typedstate.testing import example
assert "hypothesis" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
