"""Bash completes the commands, with what the extra ``[completion]`` brings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASH = shutil.which("bash")
SCRIPTS = Path(sys.executable).parent

COMPLETE = """
eval "$(register-python-argcomplete typedstate)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDBREAKS=$' \\t\\n"><=;|&(:'
_python_argcomplete typedstate
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(line: str, folder: Path) -> set[str]:
    """What bash offers for a line that ends where the user stands."""
    assert BASH is not None
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH, "-c", COMPLETE, "bash", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return {word.strip() for word in done.stdout.splitlines() if word.strip()}


pytestmark = [
    pytest.mark.skipif(BASH is None, reason="there is no bash"),
    pytest.mark.skipif(
        not (SCRIPTS / "register-python-argcomplete").exists(),
        reason="the extra [completion] is missing",
    ),
]


def test_commands_are_completed(tmp_path: Path) -> None:
    assert completed("typedstate d", tmp_path) == {"diff", "document", "doctor"}
    assert completed("typedstate ch", tmp_path) == {"check"}
    assert completed("typedstate zz", tmp_path) == set()


def test_options_are_those_of_the_command(tmp_path: Path) -> None:
    assert completed("typedstate infer --v", tmp_path) == {"--vary"}
    assert completed("typedstate show --v", tmp_path) == set()


def test_files_are_completed(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").touch()
    assert completed("typedstate show wei", tmp_path) == {"weights.safetensors"}
