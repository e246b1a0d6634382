"""The pytest option checks a whole package without a decorator."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tests.boundaries.hooked_package import environment


def run_pytest(folder: Path, *args: str) -> tuple[int, str]:
    plugin = "typedstate.pytest_plugin"
    installed = any(point.value == plugin for point in entry_points(group="pytest11"))
    named = [] if installed else ["-p", plugin]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *named, *args]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


TEST = """
import pytest
from use import *

def test_function():
    assert refused(code.function, 3, 3) == "StateTypeError"

def test_deep():
    assert refused(deep.deep, 3) == "StateTypeError"
"""


def test_the_option_checks_a_package_also_where_a_conftest_imports_it(package: Path) -> None:
    (package / "conftest.py").write_text("import pkg.code\n")
    (package / "test_it.py").write_text(TEST)
    status, text = run_pytest(package, "--typedstate", "pkg.sub, pkg")
    assert status == 0, text
    status, text = run_pytest(package)
    assert status == 1
    assert "2 failed" in text


def test_the_option_says_what_is_imported_already(package: Path) -> None:
    status, text = run_pytest(package, "--typedstate=os")
    assert status == 4, text
    assert "--typedstate: os is imported already: install the hook before it" in text
