"""Names in a source: those of classes beside imports, of attributes beside keys."""

from __future__ import annotations

import json
import sys
import types
from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests.export.documents import Own
from tests.zoo import leaf
from typedstate import (
    Alias,
    Axis,
    SchemaDocument,
    SchemaError,
    Stacked,
    TypedState,
    diff,
    explain,
    infer,
    layers,
    to_source,
)
from typedstate.export.unique_names import UniqueNames


def run(source: str) -> Any:
    module = types.ModuleType("tests.export.written_names")
    sys.modules[module.__name__] = module
    exec(compile(source, "<source>", "exec", dont_inherit=True), vars(module))
    return list(vars(module).values())[-1]


def of_that_name(name: str, hint: Any = nnx.Param) -> Any:
    """A schema class with one field."""
    body = {"__module__": __name__, "__annotations__": {"w": hint}}
    return type(TypedState)(name, (TypedState,), body)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["LinearState", "Stacked", "Axis", "typedstate", "jax", "flax"])
def test_a_class_called_as_an_import_is_not_mixed_up_with_it(name: str, first: bool) -> None:
    own = of_that_name(name)
    fields = {
        "own": own,
        "linear": layers.LinearState,
        "stack": Stacked[layers.LinearState, "layers", Axis(1)],
        "named": Stacked[layers.LinearState, "layers", Axis(0, "stage")],
        "kind": Own,
        "abstract": nnx.Param,
    }
    annotations = fields if first else dict(reversed(fields.items()))
    body = {"__module__": __name__, "__annotations__": annotations}
    whole: Any = type(TypedState)("Whole", (TypedState,), body)
    again = run(to_source(whole))
    assert diff(whole, again).exit_status == 0, to_source(whole)
    assert to_source(again) == to_source(whole)


def test_the_class_keeps_its_name_and_the_import_says_its_module() -> None:
    LinearState = of_that_name("LinearState")

    class Both(TypedState):
        own: LinearState  # type: ignore[valid-type]
        flax: layers.LinearState

    assert to_source(Both).splitlines() == [
        "import typedstate.layers",
        "from flax import nnx",
        "from typedstate import TypedState",
        "",
        "",
        "class LinearState(TypedState):",
        "    w: nnx.Param",
        "",
        "",
        "class Both(TypedState):",
        "    own: LinearState",
        "    flax: typedstate.layers.LinearState",
    ]


def document(*fields: tuple[str, str | None]) -> Any:
    """A schema that was read of a document, with these keys and names."""
    held = {"type": "leaf", "kind": "nnx.Param", "holds": {"type": "any"}}
    named = [{"key": key, "holds": held, **({"name": n} if n else {})} for key, n in fields]
    data = {
        "format": "typedstate-schema",
        "version": 1,
        "name": "S",
        "root": {"type": "schema", "schema": "S"},
        "schemas": {"S": {"type": "class", "name": "S", "fields": named}},
    }
    return SchemaDocument.from_json(json.dumps(data)).to_schema()


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ([("class", None)], ['class_: Annotated[nnx.Param, Alias("class")]']),
        ([("values", None)], ['values_: Annotated[nnx.Param, Alias("values")]']),
        ([("of", None)], ['of_: Annotated[nnx.Param, Alias("of")]']),
        ([("__x", None)], ['x_: Annotated[nnx.Param, Alias("__x")]']),
        ([("\ufb01", None)], ["key: Annotated[nnx.Param, Alias('\ufb01')]"]),
        ([("Array", None)], ['Array_: Annotated[nnx.Param, Alias("Array")]']),
        ([("float", None)], ['float_: Annotated[nnx.Param, Alias("float")]']),
        ([("input", None)], ["input: nnx.Param"]),
        ([("_x", None)], ["_x: nnx.Param"]),
        (
            [("class", None), ("class_", None)],
            ['class_2: Annotated[nnx.Param, Alias("class")]', "class_: nnx.Param"],
        ),
        (
            [("a b", "class"), ("class_", None)],
            ['class_2: Annotated[nnx.Param, Alias("a b")]', "class_: nnx.Param"],
        ),
        (
            [("a", "fi"), ("b", "\ufb01")],
            ['fi: Annotated[nnx.Param, Alias("a")]', 'key: Annotated[nnx.Param, Alias("b")]'],
        ),
        (
            [("a", "x"), ("b", "x")],
            ['x: Annotated[nnx.Param, Alias("a")]', 'x_: Annotated[nnx.Param, Alias("b")]'],
        ),
    ],
    ids=lambda item: repr(item)[:40],
)
def test_every_key_of_a_document_has_an_attribute_of_its_own(
    fields: list[tuple[str, str | None]], lines: list[str]
) -> None:
    schema = document(*fields)
    source = to_source(schema)
    assert [line.strip() for line in source.splitlines() if line[:1] == " "] == lines
    assert diff(schema, run(source)).exit_status == 0


def test_a_field_called_as_a_method_keeps_its_alias() -> None:
    class S(TypedState):
        values: Annotated[nnx.Param, Alias("values")]  # type: ignore[assignment]

    assert diff(S, run(to_source(S))).exit_status == 0


def test_no_value_in_a_variable_without_type_arguments() -> None:
    tree = {"a": leaf(Own, None)}
    schema = infer(tree)
    again = run(to_source(schema))
    assert diff(schema, again).exit_status == 0
    assert explain(tree, again)
    assert not explain({"a": leaf(Own, jnp.zeros(2))}, again)
    assert "    a: Annotated[tests.export.documents.Own, types.NoneType]" in to_source(schema)


def test_a_class_in_a_function_is_refused_with_the_fix() -> None:
    class Local(nnx.Variable):  # type: ignore[type-arg]
        """Nobody can import it."""

    with pytest.raises(SchemaError) as error:
        to_source(infer({"a": leaf(Local, jnp.zeros(2))}, name="S"))
    assert str(error.value) == (
        "to_source(S, S.a): the class tests.export.test_source_names."
        "test_a_class_in_a_function_is_refused_with_the_fix.<locals>.Local can't be imported by "
        "that name; define it at the top of a module, outside of functions"
    )


def test_a_chain_of_too_many_classes_is_refused() -> None:
    schema: Any = of_that_name("S")
    for _ in range(1_000):
        schema = of_that_name("S", schema)
    with pytest.raises(SchemaError, match=r"^to_source\(S\): nested too deeply to be written$"):
        to_source(schema)


def test_names_that_are_taken_are_numbered_without_a_search() -> None:
    names = UniqueNames({"b"})
    given = [names.give("a") for _ in range(3)]
    assert given == ["a", "a2", "a3"]
    assert names.give("b", " #") == "b #2"
    names.take_back("a3", "a")
    assert names.give("a") == "a3"
    asked: list[str] = []

    def allowed(name: str) -> bool:
        asked.append(name)
        return True

    for _ in range(1_000):
        names.give("c", allowed=allowed)
    assert len(asked) == 1_000
