"""A schema as a document and back: nothing is lost, and what is wrong is refused with its place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from beartype.vale import Is
from flax import nnx
from hypothesis import given, settings, strategies as st
from jax.sharding import PartitionSpec as P
from jaxtyping import AbstractDtype, Array, Float
from typing_extensions import TypedDict

from tests import zoo
from tests.random_hints import Case, form_cases, schema_of, tree_cases
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
    Only,
    Placed,
    PlacedBy,
    Plus,
    Pure,
    Rest,
    Same,
    SchemaDocument,
    SchemaError,
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
    explain,
    fits,
    layers,
)

T = TypeVar("T")


class Moments(NamedTuple):
    mean: Float[Array, "n"]
    count: int


class Pair(TypedDict):
    left: Float[Array, "n"]
    right: Float[Array, "n"]


class Own(nnx.Variable):  # type: ignore[type-arg]
    """A kind that only its user knows."""


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
    zoo.LinearState | nnx.Param[Float[Array, "n"]],
    tuple[zoo.LinearState, Float[Array, "batch d"]],
    Annotated[nnx.Linear, zoo.LinearState],
]


def there_and_back(hint: Any, **kinds: Any) -> Any:
    """The schema that a hint's document gives; both have the same document."""
    document = SchemaDocument.of(hint, **kinds)
    text = document.to_json()
    read = SchemaDocument.from_json(text)
    assert read == document
    assert read.to_json() == text
    found = read.to_schema(**kinds)
    again = SchemaDocument.of(found, **kinds)
    assert again.model_copy(update={"name": document.name}) == document
    return found


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_a_hint_survives_its_document(hint: Any) -> None:
    there_and_back(hint, kinds=[Moments])


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


# -- What has no name of its own -----------------------------------------------------------

Positive = Is[lambda array: array.shape != ()]


def by_rank(path: Any, leaf: Any) -> bool:
    return getattr(leaf, "ndim", 0) > 1


class Halves(AbstractDtype):
    dtypes = ["float16", "bfloat16"]


class OwnState(TypedState):
    own: Own
    checked: Annotated[nnx.Param[Float[Array, "n"]], Positive]
    half: nnx.Param[Halves[Array, "n"]]


def test_names_that_the_caller_gives() -> None:
    name = f"{Own.__module__}.Own"
    kinds = {name: Own, "positive": Positive, "by_rank": by_rank}
    found = there_and_back(Only[OwnState, by_rank], kinds=kinds)
    assert '"positive"' in SchemaDocument.of(OwnState, kinds=kinds).to_json()
    read = SchemaDocument.of(OwnState, kinds=kinds).to_schema(kinds=kinds)
    assert not fits(zoo.state({"own": Own(1)}), read)
    assert found.__name__ == "Only[OwnState, by_rank]"


def test_classes_by_their_own_names() -> None:
    class State(TypedState):
        own: Own

    found = there_and_back(State, kinds=[Own])
    assert fits(zoo.state({"own": Own(1)}), found)


def refused(hint: Any, **kinds: Any) -> str:
    with pytest.raises(SchemaError) as error:
        SchemaDocument.of(hint, **kinds)
    return str(error.value)


def test_a_hint_without_a_document_is_refused_with_the_place() -> None:
    assert refused(OwnState).startswith(
        "SchemaDocument.of(OwnState, OwnState.checked): the validator beartype.vale.Is[lambda"
    )
    assert refused(Only[zoo.LinearState, by_rank]) == (
        "SchemaDocument.of(Only[LinearState, by_rank], LinearState): the filter by_rank has no "
        "name; give kinds={'name': it}"
    )
    assert refused(PlacedBy[zoo.LinearState, lambda names: names]) == (
        "SchemaDocument.of(PlacedBy[LinearState, <lambda>], LinearState): the rules <lambda> has "
        "no name; give kinds={'name': it}"
    )
    key = schema_of({frozenset({1}): nnx.Param})
    assert refused(key) == (
        "SchemaDocument.of(Random, Random.field_0): a key of class frozenset is no data"
    )
    assert refused(zoo.LinearState, kinds=["nnx.Param"]) == (
        "kinds: 'nnx.Param' has no name of its own; write kinds={'name': it}"
    )


def test_classes_of_one_name_are_not_mixed_up() -> None:
    def make() -> Any:
        class Twin(nnx.Variable):  # type: ignore[type-arg]
            """One of two."""

        return Twin

    one, two = make(), make()
    name = f"{one.__module__}.{one.__qualname__}"
    state = schema_of({"a": one, "b": two})
    assert refused(state) == (
        f"SchemaDocument.of(Random, Random.field_1): two classes are called {name}; give names by "
        "kinds={'name': it}"
    )
    there_and_back(state, kinds={"one": one, "two": two})


# -- Hostile documents ---------------------------------------------------------------------


def document(root: Any = None, schemas: Any = None, **more: Any) -> Any:
    data = {
        "format": "typedstate-schema",
        "version": 1,
        "name": "S",
        "root": {"type": "any"} if root is None else root,
        "schemas": schemas or {},
    }
    return {**data, **more}


def leaf(**more: Any) -> Any:
    return {"type": "leaf", "kind": "nnx.Param", "holds": {"type": "any"}, **more}


def class_(*fields: Any, **more: Any) -> Any:
    return {"type": "class", "name": "S", "fields": list(fields), **more}


def form(of: str) -> Any:
    return {"type": "form", "of": of, "form": {"form": "Pure"}}


def nested(levels: int) -> Any:
    found: Any = {"type": "any"}
    for _ in range(levels):
        found = {"type": "tree", "leaf": found}
    return found


IN_S = {"type": "schema", "schema": "S"}
KERNEL = {"key": "kernel", "holds": leaf()}

UNREADABLE = [
    (document(version=2, news=1), "this document is of version 2, and this typedstate reads up to "
     "1: install a newer one"),
    (document(version=0), "version: Input should be greater than or equal to 1"),
    (document(format="other"), "format: Input should be 'typedstate-schema'"),
    (document(news=1), "news: Extra inputs are not permitted"),
    ({}, "format: Field required; version: Field required; name: Field required; root: Field "
     "required"),
    ([], "Input should be a valid dictionary or instance of SchemaDocument"),
    (document({"type": "exec"}), "root: Input tag 'exec' found using 'type' does not match any of "
     "the expected tags: 'any', 'none', 'instance', 'literal', 'array', 'tuple', 'items', "
     "'mapping', 'record', 'partition', 'validated', 'leaf', 'schema', 'map', 'entries', 'tree', "
     "'union', 'bind', 'scoped', 'same', 'flat', 'filtered', 'module'"),
    (document({"type": "union", "options": []}), "root.options: Tuple should have at least 1 "
     "item after validation, not 0"),
    (document(nested(200)), "nested more than 80 levels deep"),
    (document({"type": "array", "shape": "d import('os')"}), "root.shape: \"import('os')\" is "
     "neither a size, a name nor arithmetic"),
    (document({"type": "array", "shape": "d " * 5000}), "root.shape"),
    (document({"type": "bind", "of": IN_S, "dims": {"d": "(" * 150 + "d" + ")" * 300}}),
     "root.dims.d"),
    (document(name="a\nb"), "name: a name is of printable characters"),
    (document(schemas={"S": class_({"key": "x", "name": "x y", "holds": leaf()})}),
     "schemas.S.fields[0].name: String should match pattern '^[^\\W\\d]\\w*$'"),
    (document(schemas={"S": class_(extra={"patterns": [{"keys": "{}{}{}{}", "holds": leaf()}]})}),
     "schemas.S.extra.patterns[0].keys: a pattern has one to 3 braces, as in "
     "'layers_{}'"),
    (document({"type": "map", "keys": "float", "entry": leaf()}), "root.keys: Input should be "
     "'int' or 'str'"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), UNREADABLE, ids=lambda item: str(item)[:40])
def test_what_is_no_document_is_refused_with_the_place(data: Any, reason: str) -> None:
    with pytest.raises(SchemaError) as error:
        SchemaDocument.from_json(json.dumps(data))
    assert str(error.value).startswith(f"schema document: {reason}")
    with pytest.raises(ValueError, match="SchemaDocument"):
        SchemaDocument.model_validate_json(json.dumps(data))


CONTRADICTIONS = [
    (document(IN_S), "root: the document has no schema 'S'"),
    (document(schemas={"A": form("A")}), "schemas['A'].of: 'A' is a form of itself"),
    (document(schemas={"A": form("B"), "B": form("A")}), "schemas['B'].of: 'A' is a form of "
     "itself"),
    (document(schemas={"A": form("C")}), "schemas['A'].of: the document has no schema 'C'"),
    (document(leaf(kind="os.system")), "root: the class os.system is unknown; give "
     "kinds={'os.system': it}"),
    (document(leaf(kind="nnx.Linear")), "root: nnx.Linear is no class of Variables"),
    (document(leaf(kind="nnx.statelib")), "root: the class nnx.statelib is unknown; give "
     "kinds={'nnx.statelib': it}"),
    (document(leaf(kind="nnx.variablelib.Param")), "root: the class nnx.variablelib.Param is "
     "unknown; give kinds={'nnx.variablelib.Param': it}"),
    (document({"type": "instance", "class": "builtins.eval"}), "root: the class builtins.eval is "
     "unknown; give kinds={'builtins.eval': it}"),
    (document({"type": "instance", "class": "__import__"}), "root: the class __import__ is "
     "unknown; give kinds={'__import__': it}"),
    (document({"type": "array", "dtype": "AbstractArray"}), "root: the dtype class AbstractArray "
     "is unknown; give kinds={'AbstractArray': it}"),
    (document({"type": "partition", "class": "int"}), "root: int is no PartitionSpec and no "
     "NamedSharding"),
    (document(leaf(validators=["positive"])), "root: the validator positive is unknown; give "
     "kinds={'positive': it}"),
    (document(schemas={"S": class_(KERNEL, KERNEL)}), None),
    (document(schemas={"S": class_({"key": "a b", "holds": leaf()})}), "schemas['S'].fields[0]: "
     "the key 'a b' is no attribute: give a name"),
    (document({"type": "flat", "of": leaf()}), "root: Flat[Param, ...]: a form takes a schema, "
     "not a leaf"),
    (document({"type": "bind", "of": IN_S, "dims": {"d": "4"}}, {"S": class_(KERNEL)}), None),
]  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), CONTRADICTIONS, ids=lambda item: str(item)[:40])
def test_what_contradicts_itself_is_refused_with_the_place(data: Any, reason: str | None) -> None:
    read = SchemaDocument.from_json(json.dumps(data))
    with pytest.raises(SchemaError) as error:
        read.to_schema()
    if reason is not None:
        assert str(error.value) == f"schema document, {reason}"


def test_twins_and_strange_binds_are_refused() -> None:
    twins = SchemaDocument.model_validate(document(schemas={"S": class_(KERNEL, KERNEL)}))
    with pytest.raises(SchemaError) as error:
        twins.to_schema()
    assert str(error.value) == (
        "schemas['S'], S.kernel: the key 'kernel' is that of schemas['S'], S.kernel too"
    )
    data = document({"type": "bind", "of": IN_S, "dims": {"d": "4"}}, {"S": class_(KERNEL)})
    with pytest.raises(SchemaError) as error:
        SchemaDocument.model_validate(data).to_schema()
    assert str(error.value) == "root: Bind names the dim 'd' that S doesn't have; it has none"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "schema document: Expecting value: line 1 column 1 (char 0)"),
        ("{" * 100_000, "schema document: Expecting property name enclosed in double quotes"),
        ("[" * 100_000, "schema document: nested too deeply"),
        ('{"a": 1, "a": 2}', "schema document: the key 'a' stands there twice"),
        ('{"version": NaN}', "schema document: NaN is no JSON"),
        (b"\xff\xfe", "schema document: "),
        ('{"version": ' + "9" * 5000 + "}", "schema document: "),
    ],
    ids=lambda item: str(item[:20]),
)
def test_text_that_is_no_json_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(SchemaError) as error:
        SchemaDocument.from_json(text)
    assert str(error.value).startswith(reason)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from typedstate.export import document as home

    text = SchemaDocument.of(zoo.ConvNetState).to_json()
    monkeypatch.setattr(home, "_MAX_PARTS", 100)
    with pytest.raises(SchemaError, match=r"^schema document: more than 100 parts$"):
        SchemaDocument.from_json(text)
    monkeypatch.setattr(home, "_MAX_BYTES", 1 << 10)
    with pytest.raises(SchemaError, match=r"^schema document: more than 0 MiB$"):
        SchemaDocument.from_json(text)


def test_data_that_refers_to_itself_is_refused() -> None:
    root: Any = {"type": "tree"}
    root["leaf"] = root
    with pytest.raises(ValueError, match="nested more than 80 levels deep"):
        SchemaDocument.model_validate(document(root))


def test_what_is_nested_too_deeply_is_not_written() -> None:
    hint: Any = nnx.Param
    for _ in range(100):
        hint = Entries[hint, None]
    assert refused(hint).endswith("nested more than 80 levels deep")
    hint = nnx.Param
    for _ in range(30):
        hint = Entries[hint, None]
    there_and_back(hint)


def test_powers_of_powers_take_no_time() -> None:
    power = "9"
    for _ in range(40):
        power = f"({power})**64"
    array = {"type": "array", "class": "jax.Array", "shape": power}
    found = SchemaDocument.model_validate(document(array)).to_schema()
    assert explain(jnp.ones(3), found).unknown or not fits(jnp.ones(3), found)


def test_reading_imports_and_evaluates_nothing(tmp_path: Path) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(tmp_path))
    try:
        data = document(leaf(kind="evil_module.Evil"))
        with pytest.raises(SchemaError, match=r"the class evil_module.Evil is unknown"):
            SchemaDocument.model_validate(data).to_schema()
    finally:
        sys.path.remove(str(tmp_path))
    assert "evil_module" not in sys.modules


def test_a_recursive_schema_is_finite() -> None:
    found = there_and_back(Stacked[Sharded[Level, "d=x"], "n"])
    tree = {"kernel": zoo.leaf(nnx.Param, jnp.ones((7, 2, 2)))}
    tree["below"] = dict(tree)
    assert explain(nnx.State(tree), found).dims == {"d": 2, "n": 7}
