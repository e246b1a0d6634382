"""`typedstate flax-stubs` takes the stubs from every type checker, and gives them back."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flax import nnx
from plugin_speed import environment
from type_checkers import installed, run

from tests.unread import UNASKED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
    ),
]

SOURCE = """\
from flax import nnx

model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
reveal_type(nnx.state(model, nnx.Param))
"""
PRECISE = {
    "mypy": "flax.nnx.statelib.State[Any, flax.nnx.variablelib.Param[jax._src.basearray.Array]]",
    "pyright": "State[Any, Param[Array]]",
}
OWN = {
    "mypy": "flax.nnx.statelib.State[Any, Any]",
    "pyright": "State[Unknown, Unknown]",
}


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter beside whose packages the stubs lie as a wheel would have put them there."""
    found = environment(tmp_path / "environment", stubs=True)
    packages = tmp_path / "environment" / "packages"
    stubs = packages / "flax-stubs"
    original = stubs.resolve()
    stubs.unlink()
    shutil.copytree(original, stubs)
    info = packages / "typedstate-0.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: typedstate\nVersion: 0.0.0\n")
    files = [file for file in stubs.rglob("*") if file.is_file()]
    names = [file.relative_to(packages).as_posix() for file in files]
    lines = [f"{name},," for name in [*sorted(names), f"{info.name}/RECORD"]]
    (info / "RECORD").write_text("\n".join(lines) + "\n")
    return found


def switch(python: Path, *state: str) -> subprocess.CompletedProcess[str]:
    return run(python, "-m", "typedstate", "flax-stubs", *state, folder=python.parent)


def mypy(python: Path, project: Path) -> str:
    config = project / "mypy.ini"
    config.write_text(f"[mypy]\n{UNASKED}")
    given = ["--config-file", config, "--python-executable", python]
    result = run(sys.executable, "-m", "mypy", *given, "source.py", folder=project)
    return result.stdout.partition('Revealed type is "')[2].partition('"')[0]


def pyright(python: Path, project: Path) -> str:
    given = ["--pythonpath", python, "--outputjson", "source.py"]
    result = run(sys.executable, "-m", "pyright", *given, folder=project)
    (message,) = [
        item["message"]
        for item in json.loads(result.stdout)["generalDiagnostics"]
        if item["severity"] == "information"
    ]
    return str(message).partition(' is "')[2].removesuffix('"')


@installed("mypy", "pyright")
def test_one_switch_for_every_checker(python: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "source.py").write_text(SOURCE)
    packages = tmp_path / "environment" / "packages"
    record = packages / "typedstate-0.0.0.dist-info" / "RECORD"

    def seen() -> dict[str, str]:
        return {"mypy": mypy(python, project), "pyright": pyright(python, project)}

    def kept() -> bool:
        """Whether what uninstalls the package finds all of its files."""
        names = [line.split(",")[0] for line in record.read_text().splitlines()]
        return len(names) > 5 and all((packages / name).is_file() for name in names)

    assert (seen(), kept()) == (PRECISE, True)
    done = switch(python, "off")
    assert (done.stdout, done.stderr) == (f"off: {packages / 'flax-stubs.off'}\n", "")
    assert (seen(), kept()) == (OWN, True)
    assert switch(python).stdout == f"off: {packages / 'flax-stubs.off'}\n"
    assert switch(python, "off").returncode == 0
    done = switch(python, "on")
    assert (done.stdout, done.stderr) == (f"on: {packages / 'flax-stubs'}\n", "")
    assert (seen(), kept()) == (PRECISE, True)
