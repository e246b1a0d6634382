"""The table of tools is what its script finds."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
from flax import nnx

from tests.pages.blocks import DOCS, ROOT

NEEDED = ("chex", "pandera.xarray", "penzai", "orbax.checkpoint", "xarray")


def is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not all(map(is_there, NEEDED)), reason="the extra [compared] is missing")
@pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the page shows what Flax 0.12 makes"
)
def test_the_table_is_what_the_script_finds() -> None:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    environment.pop("XLA_FLAGS", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "scripts.compared"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    table = "\n".join(line for line in done.stdout.splitlines() if line.startswith("|"))
    assert table.count("\n") > 10
    assert table in (DOCS / "compared.md").read_text()


def test_of_each_wrong_state_typedstate_names_the_place() -> None:
    rows = [
        line for line in (DOCS / "compared.md").read_text().splitlines() if line.startswith("| ")
    ][2:]
    assert len(rows) == 13
    last = [row.rstrip(" |").rpartition(" | ")[2] for row in rows]
    assert last == ["accepted"] * 2 + ["named"] * 11
