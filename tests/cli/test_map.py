"""`typedstate map`: what a schema leaves open is said on the command line; the file comes first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from typedstate.cli import main

from . import shop

M = shop.__name__
SCHEMA = f"{M}:ModelState"
save_file = pytest.importorskip("safetensors.numpy").save_file
PROPOSED = """# A proposal, by names and shapes: read every line, then Weights.prove it.
Rule('down.weight', 'down.kernel', transpose=True),
Rule('up.bias', 'up.bias'),
Rule('up.weight', 'up.kernel', transpose=True),
"""


@pytest.fixture(autouse=True)
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ones = np.ones((3, 2), np.float32)
    save_file({"up.weight": ones, "up.bias": ones[:, 0], "down.weight": ones.T}, "m.safetensors")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of the command."""
    status = main(["map", *arguments])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.mark.parametrize(
    "settled",
    [
        ("--dims", "d=2", "hidden=3", "--choose", "up.bias=True", "down.bias=False"),
        ("--like", f"{M}:make"),
        ("--dims", "d=2", "hidden=3", "--choose", "*.bias=True", "down.bias=False"),
    ],
    ids=["choices", "a model", "a name at any depth"],
)
def test_what_is_open_is_settled(
    capsys: pytest.CaptureFixture[str], settled: tuple[str, ...]
) -> None:
    assert run(capsys, "m.safetensors", SCHEMA, *settled) == (0, PROPOSED, "")


def test_a_leaf_that_no_tensor_fills(capsys: pytest.CaptureFixture[str]) -> None:
    settled = ("--dims", "d=2", "hidden=3", "--choose", "*.bias=True")
    status, text, _ = run(capsys, "m.safetensors", SCHEMA, *settled)
    assert (status, text) == (1, f"{PROPOSED}# no tensor for down.bias\n")


def test_what_is_open_is_listed_with_how_to_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "m.safetensors", f"{M}:DenseState", "--dims", "din=2", "dout=3") == (
        2,
        "",
        """typedstate: abstract(DenseState) can't be made:
  bias: there or not? choices={"bias": True} or False
say sizes by --dims NAME=SIZE, choices by --choose PATH=VALUE, or give a model by --like
""",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gone.safetensors", SCHEMA), "gone.safetensors: there is nothing"),
        (("m.safetensors", SCHEMA, "--choose", "bias"), "'bias' is not path=value"),
        (
            ("m.safetensors", SCHEMA, "--like", SCHEMA),
            f"--like {SCHEMA}: a schema, where a model was expected",
        ),
    ],
    ids=["no file", "no pair", "no model"],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(capsys, *arguments) == (2, "", f"typedstate: {said}\n")


def test_only_tensors_have_names_of_their_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "m.msgpack").write_bytes(b"\x80")
    assert run(capsys, "m.msgpack", SCHEMA) == (
        2,
        "",
        "typedstate: m.msgpack: foreign weights are read from safetensors, not msgpack\n",
    )
