"""The page on checkpoints shows what the script finds, and the example runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orbax.checkpoint as ocp
import pytest
from flax import nnx
from safetensors.numpy import save_file

from tests.checkpoint import comparison, public_loaders

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(comparison.v1 is None, reason="this Orbax has no v1 interface")
@pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"),
    reason="Orbax shows the leaves of Flax 0.10 by their keys",
)
def test_the_table_is_what_the_script_finds() -> None:
    page = (ROOT / "docs" / "guides" / "checkpoints.md").read_text()
    assert ocp.__version__
    assert comparison.table() in page


def test_the_example_runs() -> None:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "examples" / "restore.py")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert found.returncode == 0, found.stderr[-2000:]
    lines = found.stdout.splitlines()
    assert "  filled from the given state: gate.kernel, gate.bias" in lines
    assert "layers.kernel: (3, 16, 16)" in lines
    assert "  head.kernel: is it transposed? the other order fits" in lines
    assert lines[-1] == "layers[2].kernel: 2.0"


@pytest.mark.parametrize("name", public_loaders.CASES)
def test_the_table_of_public_loaders_says_what_we_do(name: str, tmp_path: Path) -> None:
    save_file(public_loaders.CASES[name](), tmp_path / "model.safetensors")
    page = (ROOT / "docs" / "guides" / "checkpoints.md").read_text(encoding="utf-8")
    rows = page.partition("| the file | tunix | bonsai | typedstate |")[2].splitlines()
    (row,) = [line for line in rows if line.startswith(f"| {name} | ")]
    assert row.endswith(f"| {public_loaders.ours(tmp_path)} |")
