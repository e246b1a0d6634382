"""Schemas and forms as mypy and pyright see them, without the plugin.

The suite is `tests/static/schemas`: pytest runs its `assert_type` lines, too.
"""

import ast
import shutil
from pathlib import Path

import pytest
from flax import nnx
from type_checkers import HERE, SCHEMAS, installed, mypy, pyright, schema_files

import typedstate.forms

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
)


@installed("mypy")
def test_mypy() -> None:
    result = mypy(schema_files(plugin=False), HERE / "mypy.ini")
    assert result.returncode == 0, result.stdout + result.stderr


@installed("pyright")
def test_pyright(tmp_path: Path) -> None:
    for file in [*schema_files(plugin=False), SCHEMAS / "pyrightconfig.json"]:
        shutil.copy(file, tmp_path)
    assert not pyright(tmp_path)


def test_every_form_stands_in_an_assertion() -> None:
    forms = {name for name, value in vars(typedstate.forms).items() if _is_form(value)}
    trees = [ast.parse(file.read_text()) for file in SCHEMAS.glob("test_schema_form*.py")]
    nodes = (node for tree in trees for node in ast.walk(tree))
    found = (node.value for node in nodes if isinstance(node, ast.Subscript))
    used = {value.id for value in found if isinstance(value, ast.Name)}
    assert forms & set(typedstate.__all__) <= used


def _is_form(value: object) -> bool:
    return isinstance(value, typedstate.forms.FormMeta)
