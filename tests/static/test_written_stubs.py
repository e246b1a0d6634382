"""`typedstate stubs`: what checkers make of the stubs that it writes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flax import nnx
from type_checkers import HERE, SCHEMAS, installed, mypy, run

from tests.unread import SKIPPED

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
)

STRICT = {"typeCheckingMode": "strict", "pythonVersion": "3.12"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules with their stubs beside them."""
    folder = tmp_path_factory.mktemp("written")
    for file in [*(HERE / "written_stubs").glob("*.py"), SCHEMAS / "schema_models.py"]:
        shutil.copy(file, folder)
    result = stubs(folder, "odd_schemas", "schema_models")
    assert (result.returncode, result.stderr) == (0, "")
    return folder


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "project"))


def stubs(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "typedstate", "stubs", *arguments, folder=folder)


def marked(file: Path) -> list[int]:
    return [n for n, line in enumerate(file.read_text().splitlines(), 1) if line.endswith("# E")]


@installed("pyright")
def test_pyright_knows_keys(project: Path) -> None:
    (project / "pyrightconfig.json").write_text(json.dumps(STRICT))
    files = [project / name for name in ("odd_uses.py", "odd_schemas.pyi", "schema_models.pyi")]
    given = ["--pythonpath", sys.executable, "--outputjson", *files]
    found = json.loads(run(sys.executable, "-m", "pyright", *given, folder=project).stdout)
    assert found["summary"]["filesAnalyzed"] == 3
    lines = {
        (Path(item["file"]).name, item["range"]["start"]["line"] + 1)
        for item in found["generalDiagnostics"]
    }
    assert sorted(lines) == [("odd_uses.py", line) for line in marked(project / "odd_uses.py")]


@installed("mypy")
@pytest.mark.parametrize("plugin", ["", "plugins = typedstate.mypy_plugin\n"])
def test_mypy_knows_keys(project: Path, plugin: str) -> None:
    config = project / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = true\n{plugin}{SKIPPED}")
    variant = "-stubs-plugin" if plugin else "-stubs"
    result = mypy([project / "odd_uses.py"], config, variant, folder=project)
    lines = [line.split(":")[:2] for line in result.stdout.splitlines() if ": error: " in line]
    expected = [["odd_uses.py", str(line)] for line in marked(project / "odd_uses.py")]
    assert sorted(map(tuple, lines)) == sorted(map(tuple, expected)), result.stdout
    with_stubs = mypy([project / "odd_schemas.pyi", project / "schema_models.pyi"], config, variant)
    assert with_stubs.returncode == 0, with_stubs.stdout


def test_a_stub_stays_as_it_is(project: Path) -> None:
    stub = project / "schema_models.pyi"
    before = stub.read_text()
    assert not stubs(project, "schema_models").stdout
    assert stub.read_text() == before
    assert stubs(project, "--check", "schema_models").returncode == 0


def test_a_stub_that_is_not_up_to_date(project: Path) -> None:
    module = project / "schema_models.py"
    module.write_text(module.read_text().replace("temperature: ", "heat: "))
    stub = project / "schema_models.pyi"
    found = stubs(project, "--check", "schema_models")
    assert found.returncode == 1
    assert found.stderr == f"typedstate stubs: {stub} is not up to date\n"
    stub.unlink()
    found = stubs(project, "--check", "schema_models")
    assert found.stderr == f"typedstate stubs: {stub} is missing\n"
    assert not stub.exists()


def test_a_stub_of_somebody_else_is_kept(project: Path) -> None:
    stub = project / "schema_models.pyi"
    stub.write_text("mine: int\n")
    found = stubs(project, "schema_models")
    assert found.returncode == 1
    assert found.stderr == f"typedstate stubs: {stub} was not written by typedstate stubs\n"
    assert stub.read_text() == "mine: int\n"


def test_modules_that_can_have_no_stub(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("x = 1\n")
    found = stubs(tmp_path, "plain", "absent")
    assert found.returncode == 1
    assert found.stderr == (
        "typedstate stubs: plain declares no schema\ntypedstate stubs: there is no module 'absent'\n"
    )


def test_functions_that_a_stub_makes_unknown(tmp_path: Path) -> None:
    text = (
        "from typedstate import TypedState\nclass A(TypedState):\n    x: int\ndef f(a): return a\n"
    )
    (tmp_path / "untyped.py").write_text(text)
    found = stubs(tmp_path, "untyped")
    assert found.stdout == (
        f"{tmp_path / 'untyped.pyi'}\nwithout a return annotation, unknown in a stub: f\n"
    )
