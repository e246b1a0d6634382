"""A schema as a document and back: nothing is lost, and what is wrong is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, BFloat16, Float, Inexact
from typing_extensions import TypedDict

from tests import zoo
from tests.export.documents import there_and_back
from tests.random_hints import Case, form_cases, tree_cases
from typedstate import (
    Abstract,
    Alias,
    Axis,
    Bind,
    Cast,
    Entries,
    Exactly,
    Flat,
    Like,
    MemoryKind,
    Only,
    Placed,
    PlacedBy,
    Plus,
    Pure,
    Rest,
    Same,
    SchemaDocument,
    Scoped,
    Sharded,
    Shardings,
    Shared,
    Specs,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    Values,
    diff,
    explain,
    fits,
    layers,
)
from typedstate.layers import ConvState

T = TypeVar("T")


class Moments(NamedTuple):
    mean: Float[Array, "n"]
    count: int


class Pair(TypedDict):
    left: Float[Array, "n"]
    right: Float[Array, "n"]


class Level(TypedState):
    """A schema that refers to itself."""

    kernel: nnx.Param[Float[Array, "d d"]]
    below: Bind["Level", "d"] | None  # type: ignore[misc]


class Box(TypedState, Generic[T]):
    content: T


class Everything(TypedState, extra={"layers_{}": zoo.LinearState}):
    exact: Exactly[nnx.Param]
    raw: jax.Array
    scalar: float | None
    numpy_: np.ndarray[Any, Any]
    literal: Literal[1, "x", True]
    moments: nnx.BatchStat[Moments]
    pair: nnx.Intermediate[Pair]
    items: Annotated[nnx.Intermediate[tuple[Float[Array, "n"], ...]], Alias("items")]
    listed: nnx.Intermediate[list[Float[Array, "n"]]]
    mapped: nnx.Intermediate[dict[str, Float[Array, "n"]]]
    named: Annotated[nnx.Param[Float[Array, "a b"]], P("x", ("y", "z"))]
    masked: Annotated[nnx.optimizer.OptVariable, optax.MaskedNode | Float[Array, "n"]]
    box: Box[nnx.Param[Float[Array, "n"]]]
    level: Level
    entries: Entries[zoo.LinearState, None, nnx.Param]
    maps: Bind[StateMap[int, StateMap[str, nnx.Param]], "len=n"]
    tree: StateOf[nnx.Param]
    anything: nnx.State[Any, Any]
    tuple_key: Annotated[nnx.Param, Alias(("kernel", b"\x00", 2, None, True))]
    tied: Annotated[nnx.Param, Shared("box.content")]


HINTS = [
    Everything,
    Level,
    Only[Everything, nnx.Param, "tag"],
    Rest[Level, nnx.PathContains("kernel")],
    Only[StateMap[str, nnx.Variable], nnx.All(nnx.Param, nnx.Not(nnx.OfType(nnx.LoRAParam)))],
    Only[Level, ...],
    Plus[Everything, nnx.LoRAParam],
    Stacked[Everything, "2*layers", Axis(0, "stage"), nnx.Param],
    Stacked[StateMap[str, nnx.Param[Float[Array, "*batch d"]]], "layers", Axis(1)],
    Bind[StateMap[int, zoo.LinearState], "len=3"],
    Scoped[Bind[zoo.LinearState, "din=4*d dout=d//2"], "teacher"],
    Bind[ConvState, "*window=3 k din"],
    Bind[StateMap[str, Bind[ConvState, "window=w"]], "len=2"] | Bind[ConvState, "*window="],
    Same[zoo.LinearState, "T"],
    Flat[zoo.MlpState],
    Flat[Pure[Only[zoo.MlpState, nnx.Param]], "/"],
    Pure[Only[Stacked[zoo.MlpState, "layers"], nnx.Param]],
    Values[zoo.MlpState],
    Abstract[zoo.MlpState],
    Shardings[Sharded[zoo.MlpState, "d=fsdp hidden=a,b"]],
    Specs[PlacedBy[zoo.MlpState, (("embed", "x"), ("mlp", ("x", "y")), ("z", None))]],
    Placed[zoo.MlpState],
    Like[zoo.MlpState, nnx.optimizer.OptVariable],
    Like[zoo.MlpState, nnx.optimizer.OptVariable | optax.MaskedNode],
    Cast[zoo.MlpState, Float],
    Like[nnx.State, nnx.optimizer.OptVariable],
    Like[nnx.State, Exactly[nnx.Param] | nnx.BatchStat],
    Cast[nnx.State, BFloat16],
    Cast[nnx.State, Float],
    Cast[nnx.State, BFloat16, nnx.Not(nnx.PathContains("norm"))],
    Abstract[Cast[Only[nnx.State, nnx.Param], BFloat16]],
    Flat[Cast[nnx.State, Inexact]],
    MemoryKind[nnx.State, "device"],
    zoo.LinearState | nnx.Param[Float[Array, "n"]],
    tuple[zoo.LinearState, Float[Array, "batch d"]],
    Annotated[nnx.Linear, zoo.LinearState],
]


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_a_hint_survives_its_document(hint: Any) -> None:
    there_and_back(hint, kinds=[Moments])


BARE: list[Any] = [
    Like[nnx.State, nnx.BatchStat],
    Like[nnx.State, Exactly[nnx.Variable] | nnx.BatchStat],
    Cast[nnx.State, BFloat16],
    Abstract[Cast[nnx.State, BFloat16]],
    Pure[Cast[nnx.State, Float]],
    Flat[Like[nnx.State, nnx.Param]],
]


@pytest.mark.parametrize("hint", BARE, ids=str)
def test_a_form_of_a_bare_state_asks_the_same_of_its_leaves(hint: Any) -> None:
    state = nnx.state(nnx.BatchNorm(3, rngs=nnx.Rngs(0)))
    narrow = jax.tree.map(lambda x: x.astype("bfloat16"), state)
    abstract = [jax.eval_shape(lambda one=one: one) for one in (state, narrow)]
    linear = nnx.state(nnx.Linear(2, 3, rngs=nnx.Rngs(0)))
    flat = [nnx.to_flat_state(one) for one in (state, linear)]
    values: list[Any] = [state, narrow, *abstract, nnx.to_pure_dict(state), *flat]
    found: Any = SchemaDocument.from_json(SchemaDocument.of(hint).to_json()).to_schema()
    reports = [explain(value, hint) for value in values]
    assert [explain(value, found).violations for value in values] == [
        report.violations for report in reports
    ]
    assert any(not report for report in reports)
    assert diff(hint, found).forward is not False


@pytest.mark.parametrize("name", sorted(layers.__all__))
def test_the_catalogue_survives_its_document(name: str) -> None:
    found = getattr(layers, name)
    if isinstance(found, type) and issubclass(found, TypedState):
        count = len(getattr(found, "__parameters__", ()))
        there_and_back(found[(zoo.LinearState, zoo.MlpState)[:count]] if count else found)


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_a_read_schema_judges_as_the_written_one(animal: zoo.Animal) -> None:
    state = nnx.state(animal.make())
    found = there_and_back(animal.schema)
    assert found.of(state) is state
    assert explain(state, found).dims == explain(state, animal.schema).dims == animal.dims
    for path, leaf in nnx.to_flat_state(state):
        broken = zoo.as_dict(state)
        inner = broken
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = nnx.Intermediate(("no", "such", leaf))
        assert explain(broken, found) == explain(broken, animal.schema)


@given(form_cases())
@settings(max_examples=40)
def test_random_hints_survive_their_document(case: Case) -> None:
    found = there_and_back(case.hint)
    report = explain(case.build(), found)
    assert report, report
    assert report == explain(case.build(), case.hint)


@given(tree_cases(), st.data())
@settings(max_examples=30)
def test_a_mutation_is_refused_by_both(case: Case, data: st.DataObject) -> None:
    found = there_and_back(case.hint)
    broken = case.build()
    key = data.draw(st.sampled_from(sorted(broken, key=str)))
    broken[key] = {"no such": nnx.Param(jnp.ones((9, 9), "int8"))}
    assert explain(broken, found) == explain(broken, case.hint)


def test_forms_apply_to_a_read_schema() -> None:
    found = there_and_back(zoo.ConvNetState)
    state = nnx.state(zoo.ConvNet(1, 2, 4, nnx.Rngs(0)))
    assert fits(nnx.filter_state(state, nnx.BatchStat), Only[found, nnx.BatchStat])
    assert not fits(state, Only[found, nnx.BatchStat])

    class Wider(found):  # type: ignore[valid-type, misc]
        """A read schema is a class that others inherit from."""

    assert Wider.__name__ == "Wider"


def test_the_text_is_as_it_always_was() -> None:
    assert SchemaDocument.of(Only[Bind[zoo.LinearState, "din=4*d"], nnx.Param]).to_json() == (
        """{
  "format": "typedstate-schema",
  "version": 1,
  "name": "Only[Bind[LinearState, 'din=4*d'], Param]",
  "root": {
    "type": "bind",
    "of": {
      "type": "schema",
      "schema": "Only[LinearState, Param]"
    },
    "dims": {
      "din": "4*d"
    }
  },
  "schemas": {
    "Only[LinearState, Param]": {
      "type": "form",
      "of": "LinearState",
      "form": {
        "form": "Only",
        "filters": [
          {
            "type": "class",
            "class": "nnx.Param"
          }
        ]
      }
    },
    "LinearState": {
      "type": "class",
      "name": "LinearState",
      "fields": [
        {
          "key": "kernel",
          "holds": {
            "type": "leaf",
            "kind": "nnx.Param",
            "holds": {
              "type": "array",
              "dtype": "Float",
              "class": "jax.Array",
              "shape": "din dout"
            }
          }
        },
        {
          "key": "bias",
          "holds": {
            "type": "leaf",
            "kind": "nnx.Param",
            "holds": {
              "type": "array",
              "dtype": "Float",
              "class": "jax.Array",
              "shape": "dout"
            }
          },
          "optional": true
        }
      ]
    }
  }
}
"""
    )


def test_the_published_json_schema_is_that_of_the_model() -> None:
    published = Path(__file__).parents[2] / "docs" / "schema-document.json"
    written = json.loads(published.read_text(encoding="utf-8"))
    assert written == SchemaDocument.model_json_schema(), (
        "typedstate document --json-schema -o docs/schema-document.json writes it"
    )


def test_a_recursive_schema_is_finite() -> None:
    found = there_and_back(Stacked[Sharded[Level, "d=x"], "n"])
    tree = {"kernel": zoo.leaf(nnx.Param, jnp.ones((7, 2, 2)))}
    tree["below"] = dict(tree)
    assert explain(nnx.State(tree), found).dims == {"d": 2, "n": 7}
