"""Runs mypy and pyright over the static suites, as installed packages have them."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCHEMAS = HERE / "schemas"
PLUGIN = "[mypy]\nstrict = True\nwarn_unreachable = True\nplugins = {}\n"

Errors = Mapping[tuple[str, int], list[str]]


def installed(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def schema_files(*, plugin: bool) -> list[Path]:
    """The files of the suite that this Python can read; those of the plugin only with it."""
    files = sorted(file for file in SCHEMAS.glob("*.py") if file.name != "conftest.py")
    if sys.version_info < (3, 12):
        files = [file for file in files if file.stem != "test_schema_brackets"]
    return [file for file in files if plugin or "plugin" not in file.stem]


def mypy(
    files: Iterable[Path],
    config: Path,
    variant: str = "",
    *options: str,
    folder: Path = SCHEMAS,
) -> subprocess.CompletedProcess[str]:
    """One run of mypy; its cache is kept for the next session of the same environment."""
    given = [*_given(config, variant), *options, *files]
    return run(sys.executable, "-m", "mypy", *given, folder=folder)


def mypy_in(
    folder: Path, files: Iterable[Path], config: Path, daemon: Path | None
) -> subprocess.CompletedProcess[str]:
    """One run of mypy from a folder, or one more of the daemon that a status file names."""
    program = ["mypy"] if daemon is None else ["mypy.dmypy", "--status-file", daemon, "run", "--"]
    variant = "-plugin" if daemon is None else "-daemon"
    options = ["--cache-fine-grained"] if daemon is not None else []
    given = [*program, *_given(config, variant), *options, *files]
    return run(sys.executable, "-m", *given, folder=folder)


def _given(config: Path, variant: str) -> list[str | Path]:
    state = f"{sys.prefix} {sys.version} {importlib.metadata.version('mypy')}"
    key = hashlib.sha256(state.encode()).hexdigest()[:16]
    cache = Path(tempfile.gettempdir(), f"typedstate-mypy-{key}{variant}")
    return ["--config-file", config, "--cache-dir", cache, "--hide-error-context"]


def run(*arguments: str | Path, folder: Path = SCHEMAS) -> subprocess.CompletedProcess[str]:
    """Runs a checker where nothing of the caller's own configuration helps it."""
    hidden = {"MYPYPATH", "PYTHONPATH", "MYPY_CONFIG_FILE_DIR"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def reported(output: str) -> Errors:
    """The errors in mypy's output, by file and line."""
    found: dict[tuple[str, int], list[str]] = {}
    for file, line, text in re.findall(r"^(.+?):(\d+): error: (.*)$", output, re.MULTILINE):
        found.setdefault((Path(file).name, int(line)), []).append(text)
    return found


def expected(files: Iterable[Path]) -> Errors:
    """The errors that the comments ``# E:`` of files name."""
    found: dict[tuple[str, int], list[str]] = {}
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if "  # E: " in line:
                found[file.name, number] = [line.partition("  # E: ")[2]]
    return found


def pyright(project: Path) -> list[str]:
    """What pyright reports over a folder with its own configuration."""
    arguments: list[str | Path] = ["--pythonpath", sys.executable, "--outputjson", "-p", project]
    result = run(sys.executable, "-m", "pyright", *arguments)
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"], result.stdout + result.stderr
    return [
        f"{Path(item['file']).name}:{item['range']['start']['line'] + 1}: {item['message']}"
        for item in report["generalDiagnostics"]
    ]
