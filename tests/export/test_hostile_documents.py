"""Documents that are wrong, endless or meant to do harm: refused with the place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests import zoo
from tests.export.documents import refused, there_and_back
from typedstate import (
    Entries,
    SchemaDocument,
    SchemaError,
    explain,
    fits,
)


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
     "'union', 'bind', 'scoped', 'argument', 'within', 'same', 'placed_as', 'flat', 'filtered', "
     "'module'"),
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
    (document({"type": "module", "class": "jax.Array", "state": {"type": "any"}}), "root: "
     "jax.Array is no class of modules"),
    (document({"type": "union", "options": [{"type": "none"}]}), "root: a union of nothing but "
     "none"),
    (document({"type": "within", "of": leaf(), "schema": "S"}), "root: the document has no schema "
     "'S'"),
    (document(schemas={"S": class_(arguments=[IN_S])}), "schemas['S'].arguments: 'S' is a type "
     "argument of itself"),
    (document(schemas={"S": class_(arguments=[{"type": "schema", "schema": "T"}]),
                       "T": class_(arguments=[{"type": "union", "options": [IN_S]}])}),
     "schemas['S'].arguments: 'T' is a type argument of itself"),
    (document(schemas={"S": class_(arguments=[{"type": "schema", "schema": "F"}]),
                       "F": form("S")}), "schemas['S'].arguments: 'S' is a type argument of "
     "itself"),
    (document(schemas={f"F{i}": form(f"F{i + 1}") for i in range(60)} | {"F60": class_()}),
     "schemas['F49'].of: more than 50 forms of forms"),
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
        (
            "{" + "".join(f'"{i}": 1, ' for i in range(50_000)) + '"49999": 1}',
            "schema document: the key '49999' stands there twice",
        ),
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
