"""How long mypy takes over a project with the stubs and the plugin, and without either.

Both sides see the same packages in one run of this script, in turns and with no cache; compared
is the processor time that the program itself took, by the least and by the median of each side.
The project is the suite of this folder and the packages that are named:

    python tests/static/plugin_speed.py --turns 5 CHECKOUT/package
"""

import argparse
import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

SUITE = Path(__file__).parent / "schemas"
STUBS = "flax-stubs"
LIMIT = 1.1


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


def seconds(python: Path, project: Path, plugin: str) -> float:
    """The processor time of one run of mypy."""
    config = project / "mypy.ini"
    config.write_text(f"[mypy]\ncheck_untyped_defs = true\nignore_missing_imports = true\n{plugin}")
    command = [sys.executable, "-m", "mypy", "--config-file", config, "--python-executable", python]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--cache-dir", os.devnull, "--explicit-package-bases", "."],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode == 2:
        raise SystemExit(done.stdout + done.stderr)
    return after.ru_utime - before.ru_utime


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare mypy's time with and without typedstate.")
    parser.add_argument("packages", nargs="*", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with_stubs = environment(root / "with", stubs=True)
        without = environment(root / "without", stubs=False)
        project = root / "project"
        project.mkdir()
        for file in [SUITE / "schema_models.py", *SUITE.glob("test_schema_*.py")]:
            shutil.copy(file, project)
        for package in options.packages:
            shutil.copytree(package, project / package.name)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(options.turns):
            theirs.append(seconds(without, project, ""))
            ours.append(seconds(with_stubs, project, "plugins = typedstate.mypy_plugin\n"))
    for name, of in (("least", min), ("median", statistics.median)):
        print(
            f"{name}: {of(theirs):.1f} s without, {of(ours):.1f} s with stubs and plugin:", end=""
        )
        print(f" {of(ours) / of(theirs):.2f} times")
    return int(min(ours) / min(theirs) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
