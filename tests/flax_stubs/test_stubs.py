"""The Flax stubs are found where they are installed, and true to the Flax that is installed."""

import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flax import nnx
from flax.nnx import variablelib

from tests.unread import UNASKED

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
STUBS = next(
    (Path(p, "flax-stubs") for p in sys.path if Path(p, "flax-stubs", "py.typed").is_file()), None
)
HAS_GRAPHLIB = importlib.util.find_spec("flax.nnx.graphlib") is not None
HAS_VARIABLES = vars(variablelib).get("VariableState", nnx.Variable) is nnx.Variable
HAS_CAPTURE_NOOP = "capture_noop" in inspect.signature(nnx.Module.sow).parameters
IS_NEWEST = hasattr(nnx, "unpack") and hasattr(nnx, "with_vars")

needs_mypy = pytest.mark.skipif(
    importlib.util.find_spec("mypy") is None, reason="mypy not installed"
)


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs Python where no configuration of the caller helps: the stubs are found as installed."""
    hidden = {"MYPYPATH", "PYTHONPATH", "MYPY_CONFIG_FILE_DIR"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_stubs_are_installed_and_partial() -> None:
    assert STUBS is not None, "flax-stubs is on no path: install the package"
    assert (STUBS / "py.typed").read_text() == "partial\n"
    assert not list(STUBS.rglob("__init__.pyi"))


@needs_mypy
def test_mypy_finds_the_stubs_and_not_only_flax(tmp_path: Path) -> None:
    source = tmp_path / "user.py"
    source.write_text(
        "from flax import nnx\nm = nnx.Linear(1, 1, rngs=nnx.Rngs(0))\n"
        "reveal_type(nnx.split(m, nnx.Param))\n"
    )
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = true\n{UNASKED}")
    result = run(tmp_path, "-m", "mypy", "--config-file", config, source)
    # On Flax 0.10 a leaf is a VariableState, and its kind is no part of its type.
    of_params, of_any = "Param[jax._src.basearray.Array]", "VariableState[Any] | Any"
    leaf = f"flax.nnx.variablelib.{of_params if HAS_VARIABLES else of_any}"
    assert (
        f'Revealed type is "tuple[flax.nnx.graphlib.GraphDef[flax.nnx.nn.linear.Linear], '
        f'flax.nnx.statelib.State[Any, {leaf}]]"'
    ) in result.stdout, result.stdout + result.stderr


def allowlists() -> Iterator[str | Path]:
    names = ["always", "since_graphlib" if HAS_GRAPHLIB else "before_graphlib"]
    if HAS_GRAPHLIB and not hasattr(nnx, "with_vars"):
        names.append("before_with_vars")
    if not HAS_CAPTURE_NOOP:
        names.append("before_capture_noop")
    for name in names:
        yield "--allowlist"
        yield HERE / "allowed" / f"{name}.txt"
    # Only the newest list is exact; the other stands for a range of versions.
    if not IS_NEWEST:
        yield "--ignore-unused-allowlist"


@needs_mypy
def test_stubtest(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\n{UNASKED}")
    given = ["--concise", "--mypy-config-file", config, *allowlists()]
    result = run(tmp_path, HERE / "run_stubtest.py", *given)
    assert result.returncode == 0, result.stdout + result.stderr
