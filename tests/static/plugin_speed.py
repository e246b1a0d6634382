"""How long mypy takes over a project with the stubs and the plugin, and without either.

Both sides see the same packages in one run of this script, in turns: cold is a run without a cache,
warm one with the cache of a run before and one file changed, and so is a run of the daemon. Compared
is the processor time that mypy itself took, by the least and by the median of each side. The project
is the suite of this folder and the packages that are named:

    python tests/static/plugin_speed.py --turns 5 CHECKOUT/package
"""

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUITE = Path(__file__).parent / "schemas"
STUBS = "flax-stubs"
LIMIT = 1.1
MODES = ("cold", "warm", "daemon")
CHANGED = "schema_models.py"


def environment(folder: Path, *, stubs: bool) -> Path:
    """An interpreter that finds all that this one finds, the stubs only where they are wanted."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = folder / "packages"
    packages.mkdir()
    spec = importlib.util.find_spec("typedstate")
    assert spec is not None
    assert spec.origin is not None
    found = {"typedstate": Path(spec.origin).parent}
    for entry in sys.path:
        known = Path(entry, "flax").is_dir() or Path(entry, STUBS).is_dir()
        for item in Path(entry).iterdir() if known else ():
            found.setdefault(item.name, item)
    for name, item in found.items():
        if not name.endswith(".pth") and (stubs or name != STUBS):
            (packages / name).symlink_to(item)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "packages.pth").write_text(f"{packages}\n")
    return folder / "bin" / "python"


def with_byte_code(folder: Path) -> dict[str, str]:
    """The variables of a Python that keeps its byte code, as users have it, in a folder."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "byte_code")}


@dataclass
class Side:
    """A project as one side checks it.

    Attributes:
      python: the interpreter whose packages mypy reads.
      project: the folder, a copy of its own.
      plugin: the line of the configuration that names the plugin.
      changes: how often a file was changed.
    """

    python: Path
    project: Path
    plugin: str
    changes: int = 0

    def options(self, cache: str | Path) -> list[str | Path]:
        config = self.project / "mypy.ini"
        config.write_text(
            f"[mypy]\ncheck_untyped_defs = true\nignore_missing_imports = true\n{self.plugin}"
        )
        given = ["--config-file", config, "--python-executable", self.python]
        return [*given, "--cache-dir", cache, "--explicit-package-bases", "."]

    def change(self) -> None:
        """Makes a file another, in its text and for its importers: it has one more name."""
        self.changes += 1
        with (self.project / CHANGED).open("a") as file:
            file.write(f"\nchange_{self.changes} = {self.changes}\n")

    def run(self, *command: str | Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.project,
            env=with_byte_code(self.project.parent),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 2:
            raise SystemExit(done.stdout + done.stderr)

    def mypy(self, cache: str | Path) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run("mypy", *self.options(cache))
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before.ru_utime

    def cold(self) -> float:
        return self.mypy(os.devnull)

    def warm(self) -> float:
        cache = self.project.with_suffix(".cache")
        if not cache.exists():
            self.mypy(cache)
        self.change()
        return self.mypy(cache)

    def daemon(self) -> float:
        status = self.project.with_suffix(".json")
        command = ["mypy.dmypy", "--status-file", status]
        started = status.exists()
        if not started:
            self.run(*command, "run", "--", *self.options(self.project.with_suffix(".fine")))
        number = json.loads(status.read_text())["pid"]
        self.change()
        before = _used(number)
        self.run(*command, "run", "--", *self.options(self.project.with_suffix(".fine")))
        return _used(number) - before

    def stop(self) -> None:
        status = self.project.with_suffix(".json")
        if status.exists():
            self.run("mypy.dmypy", "--status-file", status, "kill")


def _used(process: int) -> float:
    """The processor time of a running process, as Linux counts it."""
    fields = Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare mypy's time with and without typedstate.")
    parser.add_argument("packages", nargs="*", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sides: list[Side] = []
        for name, stubs, plugin in (
            ("without", False, ""),
            ("with", True, "plugins = typedstate.mypy_plugin\n"),
        ):
            project = root / f"{name}-project"
            project.mkdir()
            for file in [SUITE / "schema_models.py", *SUITE.glob("test_schema_*.py")]:
                shutil.copy(file, project)
            for package in options.packages:
                shutil.copytree(package, project / package.name)
            sides.append(Side(environment(root / name, stubs=stubs), project, plugin))
        try:
            worst = max(_compared(mode, sides, options.turns) for mode in options.modes)
        finally:
            for side in sides:
                side.stop()
    return int(worst > LIMIT)


def _compared(mode: str, sides: Sequence[Side], turns: int) -> float:
    """How many times as long the side with the plugin takes, by the least of its runs."""
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(turns):
        for index in (0, 1) if turn % 2 else (1, 0):  # what else runs weighs on both alike
            times[index].append(getattr(sides[index], mode)())
    for name, of in (("least", min), ("median", statistics.median)):
        without, ours = map(of, times)
        print(
            f"{mode}, {name}: {without:.2f} s without, {ours:.2f} s with stubs and plugin:", end=""
        )
        print(f" {ours / without:.2f} times", flush=True)
    return min(times[1]) / min(times[0])


if __name__ == "__main__":
    sys.exit(main())
