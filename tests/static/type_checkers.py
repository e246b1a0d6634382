"""Runs mypy, pyright, pyrefly and ty over the static suite, as installed packages have it.

Each gives what it reports by file and line. A line that must be an error says what it is::

    state.krenel  # E: "S" has no attribute "krenel"  [attr-defined]  # reportX / missing-x / x

mypy's whole message, then the rules of pyright, pyrefly and ty; one that is silent is ``- (why)``.
``# plugin:`` names the only message that mypy has with the plugin, where it is another one.
"""

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
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from flax import nnx

from tests.unread import UNASKED

HERE = Path(__file__).parent
SCHEMAS = HERE / "schemas"
CONFIGURATIONS = ("pyrightconfig.json", "pyrefly.toml", "ty.toml")
PLUGIN = "[mypy]\nstrict = True\nwarn_unreachable = True\nplugins = {}\n"
#: What mypy keeps for one set of options is read with no other.
OPTIONS = f"{UNASKED}[typedstate-mypy]\nreport_unguarded_optional = true\n"
OFF = f"{UNASKED}[typedstate-mypy]\ninfer_module_states = false\n"
RULES = ("pyright", "pyrefly", "ty")

Errors = Mapping[tuple[str, int], list[str]]


def installed(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def schema_files(*, plugin: bool) -> list[Path]:
    """The files about schemas that this Python can read; those of the plugin only with it."""
    files = sorted(file for file in SCHEMAS.glob("*.py") if file.name != "conftest.py")
    if sys.version_info < (3, 12):
        files = [file for file in files if file.stem != "test_schema_brackets"]
    return [file for file in files if plugin or "plugin" not in file.stem]


def stub_files() -> list[Path]:
    """The files about the stubs, and what they import."""
    files = [*HERE.glob("test_static_*.py"), *HERE.glob("static_*.py")]
    newest = ("test_static_machinery", "test_static_modules", "test_static_newest")
    has_newest = hasattr(nnx, "unpack") and hasattr(nnx, "with_vars")
    return sorted(file for file in files if has_newest or file.stem not in newest)


def suite() -> list[Path]:
    """What every checker reads alike."""
    return [*stub_files(), *schema_files(plugin=False)]


def copy(folder: Path) -> None:
    """Puts the suite by itself: a checker's own search finds it and no settings above."""
    for file in [*suite(), *(HERE / name for name in CONFIGURATIONS)]:
        shutil.copy(file, folder)


def mypy(
    files: Iterable[Path],
    config: Path,
    variant: str = "",
    *options: str,
    folder: Path = SCHEMAS,
) -> subprocess.CompletedProcess[str]:
    """One run of mypy; its cache is kept for the next session of the same environment.

    The suite lies within the package of our tests, and is none itself: its folders are the roots of
    its imports.
    """
    given = [*_given(config, variant), "--explicit-package-bases", *options, *files]
    roots = os.pathsep.join(map(str, (HERE, SCHEMAS)))
    return run(sys.executable, "-m", "mypy", *given, folder=folder, MYPYPATH=roots)


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
    # Files stand by themselves: none is a module of the package that the tests above are.
    by_itself = ["--explicit-package-bases", "--hide-error-context"]
    return ["--config-file", config, "--cache-dir", cache, *by_itself]


def run(
    *arguments: str | Path, folder: Path = SCHEMAS, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a checker where nothing of the caller's own configuration helps it."""
    hidden = {"MYPYPATH", "PYTHONPATH", "MYPY_CONFIG_FILE_DIR"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment["MYPYPATH"] = f"{HERE}{os.pathsep}{SCHEMAS}"
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def reported(output: str) -> Errors:
    """The errors in mypy's output, by file and line."""
    return _by_line(re.findall(r"^(.+?):(\d+): error: (.*)$", output, re.MULTILINE))


def pyright(folder: Path) -> Errors:
    """The rules of what pyright reports."""
    arguments: list[str | Path] = ["--pythonpath", sys.executable, "--outputjson", "-p", folder]
    result = run(sys.executable, "-m", "pyright", *arguments)
    report = json.loads(result.stdout)
    there = len(list(folder.glob("*.py")))
    assert report["summary"]["filesAnalyzed"] >= there > 0, result.stdout + result.stderr
    return _by_line(
        (item["file"], item["range"]["start"]["line"] + 1, item.get("rule", item["message"]))
        for item in report["generalDiagnostics"]
    )


def pyrefly(folder: Path) -> Errors:
    """The rules of what pyrefly reports."""
    arguments: list[str | Path] = ["--config", folder / "pyrefly.toml", "--output-format", "json"]
    command = Path(sys.executable).with_name("pyrefly")
    result = run(command, "check", "--python-interpreter-path", sys.executable, *arguments)
    found = json.loads(result.stdout)["errors"]
    return _by_line((item["path"], item["line"], item["name"]) for item in found)


def ty(folder: Path) -> Errors:
    """The rules of what ty reports."""
    arguments: list[str | Path] = ["--project", folder, "--python", sys.executable]
    command = Path(sys.executable).with_name("ty")
    result = run(command, "check", *arguments, "--output-format", "concise")
    assert result.returncode in (0, 1), result.stderr
    return _by_line(
        re.findall(r"^(.+?):(\d+):\d+: (?:error|warning)\[(.+?)\]", result.stdout, re.MULTILINE)
    )


def expected(files: Iterable[Path], checker: str = "mypy") -> Errors:
    """The errors that the comments of files name for a checker; "plugin" is mypy with it."""
    found: dict[tuple[str, int], list[str]] = {}
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            texts = _expected(line, checker)
            if texts:
                found[file.name, number] = sorted(texts)
    return found


def _expected(line: str, checker: str) -> list[str]:
    line, _, with_plugin = line.partition("  # plugin: ")
    with_plugin = with_plugin.removesuffix("  # fmt: skip")
    if with_plugin and checker == "plugin":
        return [] if _is_silence(with_plugin) else [with_plugin]
    _, *messages = line.split("  # E: ")
    if not messages:
        return []
    messages[-1], _, rules = messages[-1].partition("  # ")
    if checker in ("mypy", "plugin"):
        return messages
    rule = rules.split(" / ")[RULES.index(checker)]
    return [] if _is_silence(rule) else rule.split(", ")


def _is_silence(text: str) -> bool:
    assert not text.startswith("-") or re.fullmatch(r"- \(.+\)", text), f"say why: {text}"
    return text.startswith("-")


def _by_line(found: Iterable[tuple[str, str | int, str]]) -> Errors:
    errors: dict[tuple[str, int], list[str]] = {}
    for file, line, text in found:
        errors.setdefault((Path(file).name, int(line)), []).append(text)
    return {place: sorted(dict.fromkeys(texts)) for place, texts in errors.items()}
