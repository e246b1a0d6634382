"""The examples of sharded training run as they are, each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str) -> str:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    environment.pop("XLA_FLAGS", None)
    found = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=420,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout.replace("PartitionSpec(", "P(")


def test_fsdp_trains_and_catches_wrong_specs() -> None:
    out = run("fsdp.py")
    losses = [float(text) for text in re.findall(r"loss ([\d.]+)", out)]
    assert len(losses) == 4
    assert losses[-1] < losses[0] / 5
    for line in [
        "  return.opt_state[0].mu.blocks[0].up.kernel: expected P('fsdp', 'tensor'), "
        "found P('tensor', 'fsdp') [sharding]",
        "  return.model.head.bias: expected names for 1 axis, found P('fsdp', 'tensor') [sharding]",
        "  state.opt_state[0].mu.blocks[1].up.kernel: expected P('fsdp', 'tensor'), "
        "found P() [sharding]",
        "  blocks[*].qkv.kernel: expected axis 0 divisible by fsdp=4, found size 30",
    ]:
        assert line in out, out


def test_multihost_checks_in_each_process() -> None:
    found = run("multihost.py")
    wrong = (
        "  state.down.kernel: expected P('data', 'model'), found P('model', 'data') [sharding]\n"
    )
    assert found.count("  fully addressable: [False, False, False, False]\n") == 2
    assert found.count(wrong) == 2
    assert found.count("  checked while the other process stood still\n") == 1
    assert found.count("  sum over both processes: 280.0\n") == 2
