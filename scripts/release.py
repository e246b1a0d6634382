"""The release checklist, ``nox -s release``: every line is asked, what fails is named at the end.

    python -m scripts.release [--anyway]

Nothing is uploaded. ``--anyway`` leaves out what a tree between two releases can't have: a clean
state, a changelog that ends with the version, and addresses while nobody has named any.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from scripts import newcomer

ROOT = Path(__file__).parents[1]
URLS = ("Source", "Documentation", "Changelog", "Issues")
NEWCOMER = 300.0  # seconds of commands, from nothing to a caught mistake


def version() -> str:
    """The version that pyproject.toml says."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """What a command prints; raises with all of it where it fails."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "NO_MKDOCS_2_WARNING": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def clean_tree() -> None:
    """Nothing is changed and not committed."""
    changed = run("git", "status", "--porcelain")
    assert not changed, changed


def changelog_has_the_version() -> None:
    """The newest section of the changelog is the version's."""
    newest = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version(), f"the newest section is {newest[1]}, the version {version()}"


def versions_agree() -> None:
    """The package and the citation say the version of pyproject.toml."""
    for name in ("src/typedstate/__init__.py", "CITATION.cff"):
        text = (ROOT / name).read_text()
        found = re.search(r'^(?:__version__ = |version: )"?([\d.]+)"?$', text, re.MULTILINE)
        assert found is not None, name
        assert found[1] == version(), f"{name} says {found[1]}, pyproject.toml {version()}"


def project_has_a_home(file: Path = ROOT / "pyproject.toml") -> None:
    """An index can lead to the project: there are addresses, and none is another's example."""
    given = tomllib.loads(file.read_text())["project"].get("urls", {})
    missing = [name for name in URLS if name not in given]
    assert not missing, (
        f"[project.urls] names no {', '.join(missing)}: none is known until a home is"
    )
    invented = [url for url in given.values() if not re.match(r"https://(?!.*\bexample\b)", url)]
    assert not invented, f"no addresses of a project: {', '.join(invented)}"


def site_builds() -> None:
    """The documentation builds, and warns of nothing."""
    run(sys.executable, "-m", "mkdocs", "build", "--strict", "-q")


def distributions_hold(folder: Path) -> None:
    """Wheel and source distribution are built, and hold what they should."""
    run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", folder)
    files = sorted(folder.iterdir())
    assert len(files) == 2, files
    run(sys.executable, "-m", "twine", "check", "--strict", *files)
    (wheel,) = (file for file in files if file.suffix == ".whl")
    run(Path(sys.executable).with_name("check-wheel-contents"), wheel)


def newcomer_arrives(folder: Path) -> None:
    """The wheel, by itself, takes a newcomer from the first page to a mistake in an own model."""
    start = time.perf_counter()
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "-q", "-c", constraints, wheel, "mypy")
    program = folder / "program"
    program.mkdir()
    for _ in newcomer.Newcomer(python, program.resolve()).follow(newcomer.steps()):
        pass
    took = time.perf_counter() - start
    assert took < NEWCOMER, f"{took:.0f} s"
    print(f"     from nothing to the last report: {took:.0f} s")


def main() -> None:
    """Asks every line of the list."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--anyway", action="store_true")
    anyway = parser.parse_args().anyway
    failed: list[str] = []

    def ask(title: str, question: Callable[[], None]) -> None:
        try:
            question()
        except AssertionError as error:
            failed.append(title)
            print(f"[ ] {title}\n{error}")
        else:
            print(f"[x] {title}")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "dist"
        folder.mkdir()
        if not anyway:
            ask("the tree is clean", clean_tree)
            ask("the changelog has the version", changelog_has_the_version)
            ask("the project has a home", project_has_a_home)
        ask("the versions agree", versions_agree)
        ask("the site builds", site_builds)
        ask("wheel and source distribution hold", lambda: distributions_hold(folder))
        ask("a newcomer arrives", lambda: newcomer_arrives(folder))
    print("left to a person: the gate (.ci/run), every step of Flax (nox), the tag, the upload")
    if failed:
        raise SystemExit(f"not ready: {', '.join(failed)}")


if __name__ == "__main__":
    main()
