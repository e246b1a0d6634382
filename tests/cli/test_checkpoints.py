"""Commands over checkpoints that Orbax and Flax wrote: what a format does not keep is unknown."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests.zoo import net
from typedstate import fits, infer
from typedstate.checkpoint import inspect, restore, save
from typedstate.cli import main

SCHEMA = f"{net.__name__}:NetState"
ocp = pytest.importorskip("orbax.checkpoint")


@pytest.fixture(autouse=True)
def _where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[1] / "checkpoint" / "older")


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
        """the checkpoint 0.12.0/orbax -> the checkpoint 0.12.8/orbax: the same
  unknown: Orbax does not keep of which kind a Variable was
""",
    )


def test_a_checkpoint_beside_a_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "diff", "0.12.8/orbax", SCHEMA) == (
        1,
        """the checkpoint 0.12.8/orbax -> NetState: breaking forward, undecided backward; 2 added
  + norm.mean: Float[Array, "features"] [breaks forward]
  + norm.var: Float[Array, "features"] [breaks forward]
  unknown: Orbax does not keep of which kind a Variable was
""",
    )
    assert run(capsys, "diff", SCHEMA, "0.12.8/model.msgpack") == (
        0,
        """NetState -> the checkpoint 0.12.8/model.msgpack: the same
  unknown: Flax's msgpack does not keep of which kind a Variable was
  unknown: drop.rngs.key: PRNG keys are stored as numbers; taken for threefry2x32 by their size
""",
    )


@pytest.mark.skipif(
    "default" in nnx.state(nnx.Dropout(0.5, rngs=nnx.Rngs(0))).get("rngs", {}),
    reason="the streams of this Flax's dropout have names of their own",
)
def test_a_checkpoint_beside_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "diff", "0.12.8/model.msgpack", f"{__name__}:wider") == (
        1,
        "the checkpoint 0.12.8/model.msgpack -> a Net: breaking forward, breaking backward; 2 shape"
        """
  ~ head.bias: shape was 3, is 5 on axis 0 [breaks forward and backward]
  ~ head.kernel: shape was 3, is 5 on axis 1 [breaks forward and backward]
  unknown: Flax's msgpack does not keep of which kind a Variable was
  unknown: drop.rngs.key: PRNG keys are stored as numbers; taken for threefry2x32 by their size
""",
    )
    status, shown = run(capsys, "diff", "0.12.8/model.msgpack", f"{__name__}:wider", "--json")
    assert status == 1
    assert [text.partition(":")[0] for text in json.loads(shown)["unknown"]] == [
        "Flax's msgpack does not keep of which kind a Variable was",
        "drop.rngs.key",
    ]


def wider() -> net.Net:
    return net.Net(d=4, classes=5)


def test_kinds_are_shown_where_save_wrote_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(capsys, "show", "0.12.8/orbax", "--depth", "1") == (
        0,
        """checkpoint 0.12.8/orbax: 8 leaves, 63 numbers, 252 B
├─ head (2 leaves, 15 numbers, 60 B)
├─ layers (4 leaves, 40 numbers, 160 B)
└─ norm (2 leaves, 8 numbers, 32 B)
unknown: Orbax does not keep of which kind a Variable was
""",
    )
    save(tmp_path / "saved", wider(), net.NetState)
    status, shown = run(capsys, "show", str(tmp_path / "saved"), "--filter", "norm.*")
    assert (status, shown.splitlines()[1:]) == (
        0,
        [
            "└─ norm (4 leaves, 16 numbers, 64 B)",
            "   ├─ bias: Param float32[4]",
            "   ├─ mean: BatchStat float32[4]",
            "   ├─ scale: Param float32[4]",
            "   └─ var: BatchStat float32[4]",
        ],
    )


def test_a_kind_that_is_unknown_is_not_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "show", "0.12.8/orbax", "--filter", "Param") == (
        1,
        "no leaf is like 'Param'; Orbax does not keep of which kind a Variable was\n",
    )
    status, shown = run(capsys, "show", "0.12.8/orbax", "--json", "--filter", "*.scale")
    assert status == 0
    assert json.loads(shown)["unknown"] == "Orbax does not keep of which kind a Variable was"
    assert "Param" not in shown


def test_a_schema_is_inferred(capsys: pytest.CaptureFixture[str]) -> None:
    status, shown = run(capsys, "infer", "0.12.8/orbax")
    assert status == 0
    assert shown == (
        "# The kinds of Variables are not stored. What looks like a layer of Flax's "
        """is taken for it, with its
# kinds; any other leaf is nnx.Variable, which every kind fits: write those you know.

from typedstate import Bind, StateMap, TypedState
from typedstate.layers import LayerNormState, LinearState


class ModelState(TypedState):
    head: Bind[LinearState, "din=d dout=classes"]
    layers: Bind[StateMap[int, Bind[LinearState, "din=d dout=d"]], "len=layers"]
    norm: Bind[LayerNormState, "features=d"]
"""
    )


def test_what_is_no_layer_of_flax_has_no_kind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = nnx.State({"table": Table(jnp.ones((3, 2))), "rngs": nnx.state(nnx.Rngs(0).default)})
    file = tmp_path / "x"
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(file, state)
    status, shown = run(capsys, "infer", str(file))
    assert (status, shown.partition("\n\n\n")[2]) == (
        0,
        """class ModelState(TypedState):
    rngs: RngStreamState
    table: nnx.Variable[Float[Array, "vocab d"]]
""",
    )
    inferred = infer(inspect(file).state())
    assert fits(state, inferred)
    assert not fits(nnx.State({"table": Table(jnp.ones((3, 2)))}), inferred)
    save(tmp_path / "y", state, inferred)
    table = restore(tmp_path / "y", inferred, dtype=jnp.float32).state["table"]
    assert jax.tree.leaves(table)[0].shape == (3, 2)
    assert (
        inspect(tmp_path / "y").unknown
        == "kinds that are not Flax's are known by name alone: Table"
    )


class Table(nnx.Variable[jax.Array]):
    pass
