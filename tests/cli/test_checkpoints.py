"""Commands over checkpoints that Orbax and Flax wrote: what a format does not keep is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checkpoint import checkpoint_models
from typedstate.cli import main

SCHEMA = f"{checkpoint_models.__name__}:NetState"
pytest.importorskip("orbax.checkpoint")


@pytest.fixture(autouse=True)
def _where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(checkpoint_models.__file__).parent / "older")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Status and output of a command."""
    status = main(list(arguments))
    found = capsys.readouterr()
    return status, found.out + found.err


def test_a_whole_model_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", "0.12.8/model.msgpack", SCHEMA) == (
        0,
        """fits NetState
  dims: d=4 classes=3
  unknown: Flax's msgpack does not keep of which kind a Variable was, and 1 more
""",
    )


def test_parameters_are_no_whole_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", "0.12.8/orbax", SCHEMA) == (
        1,
        """does not fit NetState: 2 violations
  norm.mean: missing, expected Float[Array, "features"] [missing]
  norm.var: missing, expected Float[Array, "features"] [missing]
  dims: d=4 classes=3
  unknown: Orbax does not keep of which kind a Variable was
""",
    )


def test_another_size_is_no_other_structure(capsys: pytest.CaptureFixture[str]) -> None:
    status, shown = run(capsys, "check", "0.12.8/model.msgpack", SCHEMA, "--dims", "d=5")
    assert status == 1
    assert shown.splitlines()[:3] == [
        "does not fit NetState: 11 violations",
        "  layers[0].kernel: din is 4, but d=5 as given by dims= [dim]",
        "  layers[0].kernel: dout is 4, but d=5 as given by dims= [dim]",
    ]


def test_two_checkpoints_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "diff", "0.12.0/orbax", "0.12.8/orbax") == (
        0,
        "the checkpoint 0.12.0/orbax -> the checkpoint 0.12.8/orbax: the same\n",
    )


def test_a_schema_is_inferred(capsys: pytest.CaptureFixture[str]) -> None:
    status, shown = run(capsys, "infer", "0.12.8/orbax")
    assert status == 0
    assert shown.partition("\n\n\n")[2] == (
        """class ModelState(TypedState):
    head: Bind[LinearState, "din=d dout=classes"]
    layers: Bind[StateMap[int, Bind[LinearState, "din=d dout=d"]], "len=layers"]
    norm: Bind[LayerNormState, "features=d"]
"""
    )
