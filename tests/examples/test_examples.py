"""The examples run as a reader would run them."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flax import nnx

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TAKES_MODEL = "model" in inspect.signature(nnx.Optimizer.update).parameters


def run(name: str) -> str:
    env = {
        key: value for key, value in os.environ.items() if key not in ("TYPEDSTATE", "XLA_FLAGS")
    }
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), env.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name)],
        env={**env, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.skipif(not TAKES_MODEL, reason="Optimizer.update takes no model before Flax 0.11")
def test_train_digits() -> None:
    pytest.importorskip("sklearn")
    text = run("train_digits.py")
    accuracy = re.search(r"accuracy on 450 held-out digits: ([\d.]+)", text)
    assert accuracy is not None
    assert float(accuracy.group(1)) > 0.95
    reports = dict(block.split(":\n", 1) for block in text.split("\n\n")[1:])
    assert len(reports) == 5
    for title, line in {
        "a misspelt key": "state.head.kernel: missing",
        "a kernel of another width": "state.hidden.kernel: ",
        "statistics and scale swapped": "state.first.norm.mean: expected BatchStat",
        "a quantised kernel": "state.second.conv.kernel: expected dtype Float",
        "a tree one level too deep": "the tree is one level too deep",
    }.items():
        assert line in reports[title], reports[title]


def test_legacy() -> None:
    text = run("legacy.py")
    head, _, tail = text.partition("\n\n")
    lines = head.splitlines()
    assert lines[0] == "as the docstring had it:"
    assert lines[1] == "the arguments of by_the_docstring() do not fit: 1 violation"
    assert lines[2].startswith("  leaf: expected Array, found ")
    assert tail.splitlines()[0] == "as it is:"
    assert len(tail.splitlines()) == 7
    assert re.search(r"params\.w1: Param \(1, 32\) at P\w*\(None, 'model'\)", tail)
