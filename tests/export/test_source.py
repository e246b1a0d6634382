"""The source of a schema, when it is run, is an equal schema."""

from __future__ import annotations

import textwrap
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from tests.zoo import ZOO, Animal, LinearState, MlpState, StackState, leaf
from typedstate import (
    Abstract,
    Alias,
    Bind,
    Entries,
    Exactly,
    Only,
    Pure,
    SchemaDocument,
    SchemaError,
    Scoped,
    Shared,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    Values,
    explain,
)
from typedstate.export.source import to_source
from typedstate.inference.infer import infer

A = TypeVar("A")


def _run(source: str) -> Any:
    """The schema that a source gives."""
    names: dict[str, Any] = {}
    exec(compile(source, "<source>", "exec"), names)
    return list(names.values())[-1]


def _classes(schema: Any) -> str:
    return "class " + to_source(schema).partition("class ")[2]


def _code(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


class Pair(NamedTuple):
    left: int
    right: float


class Recursive(TypedState):
    value: nnx.Param[Float[Array, "d"]]
    next: "Bind[Recursive, 'd'] | None"


class Everything(TypedState, extra={"layer_{}": Bind[LinearState, "din=d dout=d"]}):
    """One of each hint."""

    exact: Exactly[nnx.Param[Float[Array, "#d *rest"]]]
    named: Annotated[nnx.Param[Float[Array, "d 4*d _"]], P("x", None, ("y", "z"))]
    raw: Float[np.ndarray, "..."]
    any_array: jax.Array
    union: nnx.Param[Int[Array, ""] | tuple[int, ...]] | LinearState | None
    literal: nnx.Param[Literal[1, "a"]]
    pair: nnx.Param[Pair]
    tree: StateOf[nnx.Param]
    anything: Any
    state: nnx.State
    scoped: Scoped[LinearState, "teacher"]
    tied: Annotated[nnx.Param, Shared("exact")]
    items_: Annotated[Entries[LinearState, None, StateMap[str, nnx.Param]], Alias("items")]
    zero: Annotated[Bind[StateMap[int, MlpState], "len=d//2"], Alias(0)]


class Holder(TypedState, Generic[A]):
    inner: A


@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: animal.name)
def test_a_schema_of_the_zoo_comes_back(animal: Animal) -> None:
    tree = nnx.state(animal.make())
    for schema in (animal.schema, infer(tree)):
        source = to_source(schema)
        again = _run(source)
        written = [line for line in source.splitlines() if not line.startswith("# ")]
        assert to_source(again).splitlines() == written  # comments are the inference's alone
        assert explain(tree, again)


@pytest.mark.parametrize(
    "schema",
    [
        Recursive,
        Everything,
        Holder[LinearState],
        Holder[nnx.Param[Float[Array, "d"]]],
        Only[MlpState, nnx.Param],
        Stacked[StackState, "layers"],
        Pure[MlpState],
        Values[MlpState],
        Abstract[MlpState],
        StateMap[int, MlpState],
        Bind[StateMap[int, MlpState], "len=3"],
        StateOf[nnx.Param],
    ],
    ids=lambda schema: schema.__name__,
)
def test_the_source_of_the_source_is_the_same(schema: Any) -> None:
    source = to_source(schema, name="S")
    assert to_source(_run(source), name="S") == source


def test_the_source_is_as_a_person_writes_it() -> None:
    assert to_source(MlpState) == _code("""
        from flax import nnx
        from jaxtyping import Array, Float
        from typedstate import Bind, TypedState


        class LinearState(TypedState):
            kernel: nnx.Param[Float[Array, "din dout"]]
            bias: nnx.Param[Float[Array, "dout"]] | None


        class MlpState(TypedState):
            up: Bind[LinearState, "din=d dout=hidden"]
            down: Bind[LinearState, "din=hidden dout=d"]
        """)


def test_a_schema_that_refers_to_itself_is_quoted() -> None:
    assert _classes(Recursive) == _code("""
        class Recursive(TypedState):
            value: nnx.Param[Float[Array, "d"]]
            next: 'Bind[Recursive, "d"] | None'
        """)


def test_every_hint_has_a_source() -> None:
    again = _run(to_source(Everything))
    assert _classes(again) == _classes(Everything)


def test_long_hints_are_broken() -> None:
    class Long(TypedState):
        layers: Entries[
            Bind[LinearState, "din=first dout=second"],
            Bind[LinearState, "din=second dout=third"],
            Bind[LinearState, "din=third dout=fourth"],
        ]

    assert _classes(Long).endswith(
        _code("""
        class Long(TypedState):
            layers: Entries[
                Bind[LinearState, "din=first dout=second"],
                Bind[LinearState, "din=second dout=third"],
                Bind[LinearState, "din=third dout=fourth"],
            ]
        """)
    )


HOSTILE = ['"', "'", "\\", "\n", '"""', "]: import os #", "{}", "\u2028", "\u017f", "\x00"]


@pytest.mark.parametrize("key", HOSTILE)
def test_keys_are_literals_only(key: str) -> None:
    tree = {key: {key: leaf(nnx.Param, jnp.zeros(2))}}
    schema = infer(tree)
    again = _run(to_source(schema))
    assert explain(tree, again)
    assert not explain({key: {f"{key}_": tree[key][key]}}, again)


@pytest.mark.parametrize("name", [*HOSTILE, "nnx", "Array", "class", "TypedState", ""])
def test_names_become_identifiers(name: str) -> None:
    tree = {"a": leaf(nnx.Param, jnp.zeros(2))}
    assert explain(tree, _run(to_source(infer(tree), name=name)))


def _local_kind() -> Any:
    class Local(nnx.Param[Any]):
        pass

    return Local


class Validated(TypedState):
    a: Annotated[nnx.Param, Is[lambda value: True]]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (Validated, r"to_source\(Validated, Validated.a\): the validator .* has no source"),
        (infer({"a": leaf(_local_kind(), jnp.zeros(2))}), "Local can't be imported by that name"),
    ],
    ids=["validator", "local class"],
)
def test_what_has_no_source_is_said(schema: Any, text: str) -> None:
    with pytest.raises(SchemaError, match=text):
        to_source(schema)


@pytest.mark.parametrize("future", ["from __future__ import annotations\n", ""])
def test_schemas_made_by_exec_find_the_names_around_them(future: str) -> None:
    source = future + to_source(Everything)
    assert _classes(_run(source)) == _classes(Everything)


def test_a_schema_that_was_read_from_its_document() -> None:
    document = SchemaDocument.of(MlpState)
    read = SchemaDocument.from_json(document.to_json()).to_schema()
    written = _run(to_source(read))
    assert SchemaDocument.of(written) == document
    assert _classes(read) == _classes(written)
