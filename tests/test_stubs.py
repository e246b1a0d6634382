"""The Flax stubs: found where they are installed, true to the runtime, and read alike by every
type checker.

The suite that the type checkers run over is `tests/static`; pytest runs its lines too.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flax import nnx
from flax.nnx import statelib

HERE = Path(__file__).parent
STATIC = HERE / "static"
STUBS = next(
    (Path(p, "flax-stubs") for p in sys.path if Path(p, "flax-stubs", "py.typed").is_file()), None
)
HAS_GRAPHLIB = importlib.util.find_spec("flax.nnx.graphlib") is not None
NEWEST_FUNCTIONS = hasattr(nnx, "unpack") and hasattr(nnx, "with_vars")

pytestmark = pytest.mark.skipif(
    not hasattr(statelib, "restore_int_paths"), reason="the static suite is about Flax 0.12"
)


def installed(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def suite() -> list[Path]:
    files = sorted(STATIC.glob("test_static_*.py"))
    return [f for f in files if NEWEST_FUNCTIONS or f.stem != "test_static_newest"]


def command(name: str) -> str | None:
    """Path of a command of this environment, or else of the machine."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def run(*arguments: str | Path, cwd: Path = STATIC) -> subprocess.CompletedProcess[str]:
    # No configuration of the caller may help: the stubs are found because they are installed.
    environment = {
        k: v
        for k, v in os.environ.items()
        if k not in {"MYPYPATH", "PYTHONPATH", "MYPY_CONFIG_FILE_DIR"}
    }
    return subprocess.run(
        [str(a) for a in arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def cache() -> Path:
    """mypy's cache, shared by the runs of one environment."""
    key = hashlib.sha256(
        f"{sys.prefix} {sys.version} {importlib.metadata.version('mypy')}".encode()
    ).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"typedstate-mypy-{key}")


def test_the_stubs_are_installed_and_partial() -> None:
    assert STUBS is not None, "flax-stubs is on no path: install the package"
    assert (STUBS / "py.typed").read_text() == "partial\n"
    assert not list(STUBS.rglob("__init__.pyi"))


@installed("mypy")
def test_mypy(cache: Path) -> None:
    result = run(
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        STATIC / "mypy.ini",
        "--cache-dir",
        cache,
        *suite(),
    )
    assert result.returncode == 0, result.stdout + result.stderr


@installed("mypy")
def test_mypy_finds_the_stubs_and_not_only_flax(cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "user.py"
    source.write_text(
        "from flax import nnx\nm = nnx.Linear(1, 1, rngs=nnx.Rngs(0))\n"
        "reveal_type(nnx.state(m, nnx.Param))\n"
    )
    result = run(
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        STATIC / "mypy.ini",
        "--cache-dir",
        cache,
        source,
    )
    assert "State[Any, flax.nnx.variablelib.Param[jax._src.basearray.Array]]" in result.stdout, (
        result.stdout
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The suite by itself: a checker's own search finds these files and no settings above."""
    for file in [
        *suite(),
        *STATIC.glob("static_*.py"),
        STATIC / "pyrightconfig.json",
        STATIC / "pyrefly.toml",
    ]:
        shutil.copy(file, tmp_path)
    return tmp_path


def refused_lines() -> set[int]:
    lines = (STATIC / "test_static_refused.py").read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if "# type: ignore" in line}


def without_comments(folder: Path) -> None:
    """Takes the comments off that silence the lines that must be errors."""
    file = folder / "test_static_refused.py"
    file.write_text(re.sub(r"  # type: ignore.*", "", file.read_text()))


@installed("pyright")
def test_pyright(copy: Path) -> None:
    result = run(
        sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", "-p", copy
    )
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] >= len(suite())
    assert not report["generalDiagnostics"], result.stdout


@pytest.mark.skipif(command("pyrefly") is None, reason="pyrefly not installed")
def test_pyrefly(copy: Path) -> None:
    check = [command("pyrefly") or "", "check", "--config", copy / "pyrefly.toml"]
    check += ["--python-interpreter-path", sys.executable, "--output-format", "min-text"]
    result = run(*check)
    assert result.returncode == 0, result.stdout + result.stderr

    without_comments(copy)
    result = run(*check)
    reported = re.findall(r"(\w+)\.py:(\d+):", result.stdout)
    assert {file for file, _ in reported} == {"test_static_refused"}, result.stdout
    assert {int(line) for _, line in reported} == refused_lines(), result.stdout


@pytest.mark.skipif(command("ty") is None, reason="ty not installed")
def test_ty(copy: Path) -> None:
    # ty takes no notice of another checker's codes: without the comments it reports the same lines.
    without_comments(copy)
    result = run(
        command("ty") or "",
        "check",
        "--project",
        copy,
        "--python",
        sys.executable,
        "--output-format",
        "concise",
    )
    reported = re.findall(r"(\w+)\.py:(\d+):\d+: error", result.stdout)
    assert {file for file, _ in reported} == {"test_static_refused"}, result.stdout
    assert {int(line) for _, line in reported} == refused_lines(), result.stdout


def allowlists() -> Iterator[str]:
    names = ["always", "since_graphlib" if HAS_GRAPHLIB else "before_graphlib"]
    for name in names:
        yield "--allowlist"
        yield str(STATIC / "stubtest" / f"{name}.txt")
    # Only the newest list is exact; the other stands for a range of versions.
    if not NEWEST_FUNCTIONS:
        yield "--ignore-unused-allowlist"


@installed("mypy")
def test_stubtest(tmp_path: Path) -> None:
    result = run(
        sys.executable, STATIC / "run_stubtest.py", "--concise", *allowlists(), cwd=tmp_path
    )
    assert result.returncode == 0, result.stdout + result.stderr


def stubbed_functions() -> Iterator[tuple[str, str]]:
    """Every public function and method of the stubs: its name, and what has it."""
    assert STUBS is not None
    for module in ("statelib", "graphlib"):
        tree = ast.parse((STUBS / "nnx" / f"{module}.pyi").read_text())
        for node in tree.body:
            match node:
                case ast.FunctionDef(name=name) if not name.startswith("_"):
                    yield name, module
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name()) if name.islower():
                    yield name, module
                case ast.ClassDef(
                    name="State"
                    | "FlatState"
                    | "GraphDef"
                    | "SplitContext"
                    | "MergeContext" as owner
                ):
                    for item in node.body:
                        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                            yield item.name, owner


def asserted_names() -> set[str]:
    """Names that are called, or read, inside the first argument of an `assert_type`."""
    found = set()
    for file in STATIC.glob("test_static_*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == "assert_type"
            ):
                found |= {n.attr for n in ast.walk(call.args[0]) if isinstance(n, ast.Attribute)}
    return found


# Functions that only register a type: their effect would outlive a test, and they return nothing.
UNTESTED = {"register_graph_node_type", "register_pytree_node_type", "static_cache"}


def test_every_stubbed_function_stands_in_an_assertion() -> None:
    asserted = asserted_names()
    missing = {
        f"{owner}.{name}" for name, owner in stubbed_functions() if name not in asserted | UNTESTED
    }
    assert not missing
