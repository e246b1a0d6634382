"""The schemas that `infer` writes for public models are accepted by mypy and pyright, strictly."""

import json
import shutil
from pathlib import Path

import pytest
import type_checkers
from flax import nnx
from type_checkers import installed, reported

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
)
INFERRED = Path(__file__).parents[1] / "realworld" / "inferred"


@pytest.fixture
def schemas(tmp_path: Path) -> list[Path]:
    """Copies of the files, by themselves, as in a user's project."""
    files = sorted(INFERRED.glob("[!_]*.py"))
    return [Path(shutil.copy(file, tmp_path)) for file in files]


@installed("mypy")
def test_mypy(schemas: list[Path], tmp_path: Path) -> None:
    result = type_checkers.mypy(schemas, type_checkers.HERE / "mypy.ini", folder=tmp_path)
    assert reported(result.stdout) == {}
    assert f"no issues found in {len(schemas)} source files" in result.stdout, result.stderr


@installed("pyright")
def test_pyright(schemas: list[Path], tmp_path: Path) -> None:
    settings = {"include": ["."], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    assert type_checkers.pyright(tmp_path) == {}
