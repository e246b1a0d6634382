"""A new kind of spec: mypy names every place that has to decide about it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import typedstate
from tests.unread import SKIPPED

pytest.importorskip("mypy")
ROOT = Path(typedstate.__file__).parent
NOVEL = '''

class Novel(msgspec.Struct, frozen=True):
    """Nobody knows it yet."""


Spec = Novel | '''


@pytest.mark.slow
def test_mypy_names_each_place_that_a_new_node_touches(tmp_path: Path) -> None:
    shutil.copytree(ROOT, tmp_path / "typedstate", ignore=shutil.ignore_patterns("__pycache__"))
    nodes = tmp_path / "typedstate" / "_spec" / "nodes.py"
    text = nodes.read_text(encoding="utf-8")
    nodes.write_text(re.sub(r"\n\nSpec = ", NOVEL, text, count=1), encoding="utf-8")
    assert "Novel" in nodes.read_text(encoding="utf-8")

    config = tmp_path / "mypy.ini"  # of what others wrote only what the specs are made of
    skipped = f"{SKIPPED}[mypy-flax.*]\nfollow_imports = skip\n"
    config.write_text(f"[mypy]\nstrict = true\ncache_dir = {tmp_path / 'cache'}\n{skipped}")
    arguments = ["--config-file", str(config), "--no-error-summary", str(tmp_path / "typedstate")]
    command = [sys.executable, "-m", "mypy", *arguments]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lines = [line for line in said.splitlines() if "assert_never" in line and "Novel" in line]
    places = {line.partition(":")[0].rpartition("typedstate/")[2] for line in lines}
    assert {"_spec/describe.py", "_spec/questions.py", "_spec/rewrite.py"} <= places
    assert {"_annotations/boundary_hints.py", "derive/builder.py"} <= places
    assert {"_validation/walk.py", "_validation/values.py"} <= places
    assert len(lines) >= 30
