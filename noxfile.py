"""The matrix: runtime tests on each supported step of Flax, with the JAX and Python that fit it.

`nox -l` lists the sessions, `nox` runs one per step, `nox -s tests` every step on every Python that
is there, `nox -s "tests-3.11(0.10.7)" -- tests/doctor` one step with these tests only; `doctor` and
`record` know every recorded Flax. Interpreters are taken from the search path and from pyenv.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import nox

PYTHONS = ("3.11", "3.12", "3.13")
JAX = {  # the one that each Flax is tested and recorded with
    "0.10.7": "0.6.2",
    "0.11.2": "0.7.2",
    "0.12.0": "0.8.0",
    "0.12.1": "0.8.1",
    "0.12.2": "0.8.2",
    "0.12.3": "0.9.0",
    "0.12.4": "0.9.0",
    "0.12.5": "0.9.0",
    "0.12.6": "0.10.2",
    "0.12.7": "0.10.2",
    "0.12.8": "0.10.2",
    "0.12.9": "0.11.1",
    "0.12.10": "0.12.0.1",
    "0.12.11": "0.12.0.1",
    "0.12.12": "0.12.0.1",
}
USUAL = {  # one Python for each Flax, so that a plain `nox` covers all of both
    "0.10.7": "3.11",
    "0.11.2": "3.11",
    "0.12.0": "3.12",
    "0.12.1": "3.11",
    "0.12.8": "3.12",
    "newest": "3.13",
}
STATIC = ("--ignore=tests/static",)  # the same on every Flax, but for stubtest
SOURCES = ("src", "tests", "noxfile.py")


def _pyenv_versions() -> Path | None:
    """Where pyenv keeps its interpreters, if there is a pyenv."""
    root = os.environ.get("PYENV_ROOT")
    if root is None and shutil.which("pyenv"):
        asked = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        root = asked.stdout.strip() or None
    return Path(root) / "versions" if root else None


def _numbers(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", folder.name))


def _pyenv_python(version: str, versions: Path) -> Path | None:
    """The folder of pyenv's newest interpreter of this version, such as 3.12."""
    found = sorted(versions.glob(f"{version}.[0-9]*"), key=_numbers)
    folders = [folder / "bin" for folder in found if (folder / "bin" / f"python{version}").exists()]
    return folders[-1] if folders else None


def _runs(version: str) -> bool:
    """Whether this interpreter is on the search path and is no shim that refuses to start."""
    name = shutil.which(f"python{version}")
    if name is None:
        return False
    return subprocess.run([name, "--version"], capture_output=True, check=False).returncode == 0


def _add_pyenv_pythons() -> None:
    """Let nox find pyenv's interpreters where the search path has none that runs."""
    versions = _pyenv_versions()
    if versions is None:
        return
    missing = [version for version in PYTHONS if not _runs(version)]
    folders = [folder for version in missing if (folder := _pyenv_python(version, versions))]
    os.environ["PATH"] = os.pathsep.join([*map(str, folders), os.environ["PATH"]])


def _pair(flax: str) -> tuple[str, ...]:
    """What to install for one Flax."""
    if flax == "newest":
        return "flax", "jax"
    return f"flax=={flax}", f"jax=={JAX[flax]}", f"jaxlib=={JAX[flax]}"


_add_pyenv_pythons()
STEPS = [nox.param(flax, id=flax) for flax in USUAL]
PAIRS = [nox.param(flax, id=flax) for flax in (*JAX, "newest")]
nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = [f"tests-{python}({flax})" for flax, python in USUAL.items()]


@nox.session(python=PYTHONS)
@nox.parametrize("flax", STEPS)
def tests(session: nox.Session, flax: str) -> None:
    """Run the runtime tests on one Flax."""
    session.install(*_pair(flax), ".[runtime]", "mypy>=2.4")
    session.env["JAX_PLATFORMS"] = "cpu"
    tree = Path(session.create_tmp()) / "tree"  # away from the sources: the wheel is tested
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("tests", "examples", "docs"):
        shutil.copytree(name, tree / name)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(name, tree / name)
    session.chdir(tree)
    session.run("python", "-m", "pytest", "-q", *STATIC, *(session.posargs or ["tests"]))


@nox.session(python=PYTHONS, default=False)
@nox.parametrize("flax", PAIRS)
def doctor(session: nox.Session, flax: str) -> None:
    """Compare one Flax with the record: fails where the probe finds something else."""
    session.install(*_pair(flax), ".")
    session.env["JAX_PLATFORMS"] = "cpu"
    session.run("python", "-m", "typedstate.doctor.cli")


@nox.session(python=PYTHONS, default=False)
@nox.parametrize("flax", PAIRS)
def record(session: nox.Session, flax: str) -> None:
    """Write what the probe finds on one Flax into the record, and the page that is made from it."""
    session.install(*_pair(flax), "-e", ".")
    session.env["JAX_PLATFORMS"] = "cpu"
    session.run("python", "-m", "typedstate.doctor.write", "record")
    session.run("python", "-m", "typedstate.doctor.write", "page", "docs/leaves.md")


@nox.session(python="3.12", default=False)
def lint(session: nox.Session) -> None:
    """Check style and types of the package."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)
    session.run("mypy", "--strict", "src")
    session.run("pyright", "src")
