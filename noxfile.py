"""The matrix: runtime tests on each supported step of Flax, with the JAX and Python that fit it.

`nox -l` lists the sessions, `nox` runs one per step, `nox -s tests` every step on every Python that
is there, `nox -s "tests-3.11(0.10.7)" -- tests/doctor` one step with these tests only; `doctor`,
`record` and `stubtest` know every recorded Flax. Interpreters are taken from the search path and
from pyenv.

All but Flax and JAX is of the versions in constraints.txt. `nox -s lock` writes it anew; `nox -s
newest` says what would change, with the newest release of everything, and `nox -s upcoming` with
what Flax has not released; `nox -s python314` reads annotations on that Python. `quick`, `lint`,
`lock`, `site` and `screenshots` use the environment that nox is installed in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
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
PINNING = ("0.12.3", "0.12.4", "0.12.5")  # ask for an older NumPy or optax than all others
USUAL = {  # one Python for each Flax, so that a plain `nox` covers all of both
    "0.10.7": "3.11",
    "0.11.2": "3.11",
    "0.12.0": "3.12",
    "0.12.1": "3.11",
    "0.12.8": "3.12",
    "0.12.12": "3.13",
}
STATIC = ("--ignore=tests/static",)  # the same on every Flax, but for stubtest
CONSTRAINTS = Path("constraints.txt")
PYODIDE = "pyodide@314.0.7"
BIN = Path(sys.executable).parent
LINT = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("pyright",),
    ("lint-imports",),
)


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


def _install(session: nox.Session, flax: str, *packages: str) -> None:
    """Installs one Flax, and all else in the versions of constraints.txt; the newest is free."""
    others = Path(session.create_tmp()) / "constraints.txt"
    lines = CONSTRAINTS.read_text().splitlines(keepends=True)
    free = "|".join(("flax", "jax", "jaxlib", *(("numpy", "optax") if flax in PINNING else ())))
    others.write_text("".join(line for line in lines if not re.match(f"({free})==", line)))
    pinned = () if flax == "newest" else ("-c", str(others.resolve()))
    session.install(*_pair(flax), *packages, *pinned)


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
    """Run the runtime tests on one Flax, with the wheel."""
    _install(session, flax, ".[runtime]", "mypy")
    session.env["JAX_PLATFORMS"] = "cpu"
    _run_tests(session, session.posargs)


def _run_tests(session: nox.Session, options: list[str]) -> None:
    """Runs the runtime tests away from the sources, so that the wheel is tested."""
    tree = Path(session.create_tmp()) / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("tests", "examples", "docs", "scripts"):
        # pytest keeps byte code that names the files from which it was made
        shutil.copytree(name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "mkdocs.yml", "constraints.txt"):
        shutil.copy(name, tree / name)
    session.chdir(tree)
    session.run("python", "-m", "pytest", "-q", *STATIC, *(options or ["tests"]))


@nox.session(python=PYTHONS[-1], default=False)
def upcoming(session: nox.Session) -> None:
    """Run the runtime tests on Flax as its repository has it.

    `-- FOLDER jax==0.10.2 jaxlib==0.10.2 tests/compat`: a checkout, another JAX, some of the tests.
    """
    flax, *others = session.posargs or ["git+https://github.com/google/flax"]
    _install(session, "newest", ".[runtime]", "mypy")
    session.install(flax, *(item for item in others if "==" in item))
    options = [item for item in others if "==" not in item]
    session.env["JAX_PLATFORMS"] = "cpu"
    session.run("python", "-m", "typedstate", "doctor", success_codes=[0, 1])  # what is new to us
    _run_tests(session, options)


@nox.session(python=False, default=False)
def python314(session: nox.Session) -> None:
    """Read annotations on Python 3.14, as Pyodide has it: needs node and npm, and no JAX."""
    folder = session.create_tmp()
    session.run("npm", "install", "--prefix", folder, PYODIDE, external=True)
    package = Path(folder) / "node_modules" / "pyodide" / "pyodide.mjs"
    session.run("node", "tests/annotations/python_3_14.mjs", str(package), external=True)


@nox.session(python=False, default=False)
def coverage(session: nox.Session) -> None:
    """Report which lines and branches the runtime tests reach, but the slow ones."""
    quick = ("-q", *STATIC, "-m", "not slow", "--cov", "--cov-report=term", "--cov-report=xml")
    session.env["JAX_PLATFORMS"] = "cpu"
    session.run(str(BIN / "python"), "-m", "pytest", *quick, *(session.posargs or ["tests"]))


@nox.session(python=PYTHONS, default=False)
@nox.parametrize("flax", PAIRS)
def doctor(session: nox.Session, flax: str) -> None:
    """Compare one Flax with the record: fails where the probe finds something else."""
    _install(session, flax, ".")
    session.env["JAX_PLATFORMS"] = "cpu"
    session.run("python", "-m", "typedstate", "doctor")


@nox.session(python=PYTHONS, default=False)
@nox.parametrize("flax", PAIRS)
def stubtest(session: nox.Session, flax: str) -> None:
    """Compare the stubs with one Flax."""
    _install(session, flax, "-e", ".[runtime]", "mypy")
    session.run("python", "-m", "pytest", "-q", "tests/flax_stubs")


@nox.session(python=PYTHONS, default=False)
@nox.parametrize("flax", PAIRS)
def record(session: nox.Session, flax: str) -> None:
    """Write what the probe finds on one Flax into the record, and the page that is made from it."""
    _install(session, flax, "-e", ".")
    session.env["JAX_PLATFORMS"] = "cpu"
    session.run("python", "-m", "scripts.leaves_page", "record")
    session.run("python", "-m", "scripts.leaves_page", "page", "docs/leaves.md")


@nox.session(python=False, default=False)
def quick(session: nox.Session) -> None:
    """Run what takes little time of the runtime tests, on every core."""
    options = ("-q", "-m", "not slow", *STATIC)
    chosen = session.posargs or ["tests"]
    session.run(sys.executable, "-m", "pytest", *options, *chosen, env={"JAX_PLATFORMS": "cpu"})


@nox.session(python=False, default=False)
def lint(session: nox.Session) -> None:
    """Check format, style, types and the directions of imports."""
    session.env["PATH"] = os.pathsep.join([str(BIN), os.environ["PATH"]])
    for program, *options in LINT:
        session.run(str(BIN / program), *options)


@nox.session(python=False, default=False)
def site(session: nox.Session) -> None:
    """Build the documentation into build/site, without a network; a warning is an error."""
    env = {"JAX_PLATFORMS": "cpu", "NO_MKDOCS_2_WARNING": "1"}
    session.run(sys.executable, "-m", "mkdocs", "build", "--strict", *session.posargs, env=env)


@nox.session(python=False, default=False)
def screenshots(session: nox.Session) -> None:
    """Photograph the site and the pictures in Chromium, into build/screenshots."""
    session.run(sys.executable, "-m", "scripts.site.screenshots", *session.posargs)


@nox.session(python=False, default=False)
def release(session: nox.Session) -> None:
    """Go through what a release needs; `-- --anyway` lets a changed tree and version pass."""
    session.run(sys.executable, "-m", "scripts.release", *session.posargs)


@nox.session(python=False, default=False)
def lock(session: nox.Session) -> None:
    """Write constraints.txt anew: what is missing is added, `-- --upgrade` makes all the newest."""
    options = ("--universal", "--all-extras", "--no-header", "--no-annotate", "--quiet")
    places = ("--no-emit-index-url", "--no-emit-find-links", "--output-file", str(CONSTRAINTS))
    oldest = ("--python-version", PYTHONS[0])
    command = ("pip", "compile", *options, *places, *oldest, *session.posargs, "pyproject.toml")
    session.run(sys.executable, "-m", "uv", *command)


@nox.session(python=PYTHONS[-1], default=False)
def newest(session: nox.Session) -> None:
    """Run everything with the newest release of everything, and say what is new and what fails."""
    session.install("--upgrade", "-e", ".[dev]")
    session.env["JAX_PLATFORMS"] = "cpu"
    frozen = session.run("python", "-m", "uv", "pip", "freeze", silent=True) or ""
    pinned = set(re.findall(r"^(\S+==\S+)", CONSTRAINTS.read_text(), re.MULTILINE))
    new = [line for line in str(frozen).splitlines() if "==" in line and line not in pinned]
    failed: list[str] = []
    for command in (*LINT, ("typedstate", "doctor"), ("pytest", "-q", *session.posargs)):
        try:
            session.run(*command)
        except nox.command.CommandFailed:
            failed.append(" ".join(command))
    session.log("newer than constraints.txt: %s", ", ".join(new) or "nothing")
    if failed:
        session.error("fails with these: " + ", ".join(failed))
