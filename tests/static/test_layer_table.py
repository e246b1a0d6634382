"""The mypy plugin's table of Flax's layers is what the catalogue says."""

import runpy
from pathlib import Path

import pytest
from flax import nnx

from typedstate.mypy_plugin.layer_table import LAYERS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "layer_table.py"

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the table names Flax 0.12's modules"
)


@pytest.mark.skipif(not SCRIPT.exists(), reason="the script is in a checkout only")
def test_the_table_is_up_to_date() -> None:
    assert {name: dict(found) for name, found in LAYERS.items()} == runpy.run_path(str(SCRIPT))[
        "table"
    ]()


@pytest.mark.parametrize(
    ("layer", "path"),
    [
        (nnx.Linear(2, 3, rngs=nnx.Rngs(0)), "flax.nnx.nn.linear.Linear"),
        (nnx.BatchNorm(2, rngs=nnx.Rngs(0)), "flax.nnx.nn.normalization.BatchNorm"),
        (nnx.Dropout(0.1, rngs=nnx.Rngs(0)), "flax.nnx.nn.stochastic.Dropout"),
        (nnx.GRUCell(2, 3, rngs=nnx.Rngs(0)), "flax.nnx.nn.recurrent.GRUCell"),
        (
            nnx.MultiHeadAttention(2, 4, rngs=nnx.Rngs(0)),
            "flax.nnx.nn.attention.MultiHeadAttention",
        ),
    ],
)
def test_a_state_has_no_other_keys(layer: nnx.Module, path: str) -> None:
    assert set(nnx.state(layer)) <= set(LAYERS[path])
