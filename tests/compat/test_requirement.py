"""A Flax or JAX older than the oldest supported one is refused in one sentence, by every door."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import lazy_loader
import pytest

import typedstate
from typedstate._compat.requirement import OLDEST

ROOT = Path(__file__).parents[2]
WANTED = "typedstate needs flax>=0.10.7 and jax>=0.6.2, but finds "
REMEDY = ": pip install --upgrade 'flax>=0.10.7' 'jax>=0.6.2'"


def installed_as(folder: Path, **versions: str) -> dict[str, str]:
    """The environment of a process that finds these versions installed before the real ones."""
    for name, version in versions.items():
        entry = folder / f"{name}-{version}.dist-info"
        entry.mkdir()
        (entry / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    return {**os.environ, "PYTHONPATH": str(folder), "JAX_PLATFORMS": "cpu"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "line",
    [
        "from typedstate import TypedState",
        "import typedstate; typedstate.suspended; typedstate.check",
        "from typedstate.layers import LinearState",
        "import typedstate.doctor",
    ],
)
def test_an_older_flax_is_refused_by_every_import(tmp_path: Path, line: str) -> None:
    environment = installed_as(tmp_path, flax="0.10.4", jax="0.5.3")
    done = run(environment, "-c", line)
    assert done.returncode == 1
    expected = f"ImportError: {WANTED}flax 0.10.4 and jax 0.5.3{REMEDY}"
    assert done.stderr.splitlines()[-1] == expected


def test_the_oldest_step_below_is_refused_and_a_newer_one_is_not(tmp_path: Path) -> None:
    older = installed_as(tmp_path, flax="0.10.6")
    done = run(older, "-c", "from typedstate import check")
    assert f"{WANTED}flax 0.10.6 and jax " in done.stderr
    newer = tmp_path / "newer"
    newer.mkdir()
    done = run(installed_as(newer, flax="0.100.0.dev1+g12"), "-c", "from typedstate import check")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_older_jax_is_refused(tmp_path: Path) -> None:
    done = run(installed_as(tmp_path, flax="0.10.7", jax="0.6.0"), "-m", "typedstate", "doctor")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{WANTED}flax 0.10.7 and jax 0.6.0{REMEDY}\n"


def test_without_flax_the_package_is_found_and_its_names_say_what_to_install(
    tmp_path: Path,
) -> None:
    (tmp_path / "typedstate").symlink_to(Path(typedstate.__file__).parent)
    loader = Path(lazy_loader.__file__).parent  # what the package itself cannot do without
    (tmp_path / "lazy_loader").symlink_to(loader)
    line = "import typedstate; print(typedstate.__version__); typedstate.check"
    folders = [str(tmp_path), *(path for path in sys.path if "site-packages" not in path)]
    program = f"import sys; sys.path = {folders!r}; {line}"
    done = run(dict(os.environ), "-S", "-c", program)
    assert done.stdout == "0.1.0\n"
    expected = f"ImportError: {WANTED}no flax and no jax{REMEDY}"
    assert done.stderr.splitlines()[-1] == expected


@pytest.mark.parametrize("arguments", [("-m", "pytest", "--version"), ("-c", "import typedstate")])
def test_what_needs_no_flax_is_left_alone(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(installed_as(tmp_path, flax="0.10.4"), *arguments)
    assert done.returncode == 0, done.stderr


def test_pytest_refuses_the_hook_as_wrong_usage(tmp_path: Path) -> None:
    environment = installed_as(tmp_path, flax="0.10.4", jax="0.5.3")
    done = run(environment, "-m", "pytest", "--typedstate=some_package", str(tmp_path))
    assert done.returncode == 4
    expected = f"ERROR: --typedstate: {WANTED}flax 0.10.4 and jax 0.5.3{REMEDY}"
    assert done.stderr.strip() == expected


def test_the_oldest_versions_are_those_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [item for item in project["dependencies"] if item.split(">")[0] in OLDEST]
    assert declared == [f"{name}>={version}" for name, version in OLDEST.items()]
