"""Trees of another time: `verify` names the cause in one line, `migrate` reads them or refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx, serialization
from jaxtyping import Array, Float

from tests.zoo import LinearState
from tests.zoo.net import NetState
from typedstate import Bind, Only, Pure, Stacked, StateMap, StateTypeError, TypedState, explain
from typedstate.checkpoint import migrate, restore, verify
from typedstate.layers import Chain, OptimizerState, TraceState


class ListState(TypedState):
    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]


class ScanState(TypedState):
    layers: Bind[Stacked[LinearState, "n"], "din=d dout=d"]


def entries(count: int = 3) -> dict[str, Any]:
    def layer(index: int) -> dict[str, Any]:
        return {"kernel": jnp.full((4, 4), float(index)), "bias": jnp.full(4, float(index))}

    return {"layers": {index: layer(index) for index in range(count)}}


def stack(axis: int = 0) -> dict[str, Any]:
    layers = entries()["layers"].values()
    return {
        "layers": {
            "kernel": jnp.stack([one["kernel"] for one in layers], axis),
            "bias": jnp.stack([one["bias"] for one in layers], axis),
        }
    }


def wrote(path: Path, tree: Any) -> Path:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, tree)
    return path


@pytest.mark.parametrize("axis", [0, 1])
def test_a_scanned_checkpoint_for_an_unscanned_model(axis: int, tmp_path: Path) -> None:
    path = wrote(tmp_path / "c", stack(axis))
    report = verify(path, ListState)
    assert not report
    assert report.cause == (
        f"layers is stacked along axis {axis}, as by nnx.scan; declared are entries: "
        "migrate=True reads it so"
    )
    with pytest.raises(StateTypeError, match="is stacked along axis"):
        restore(path, ListState)
    state = restore(path, ListState, migrate=True).state
    assert explain(state, ListState)
    assert (state.layers[2].kernel[...] == 2).all()


def test_an_unscanned_checkpoint_for_a_scanned_model(tmp_path: Path) -> None:
    path = wrote(tmp_path / "c", entries())
    assert verify(path, ScanState).cause == (
        "layers has an entry per layer, as without nnx.scan; declared is a stack: "
        "migrate=True reads it so"
    )
    state = restore(path, ScanState, migrate=True).state
    assert state.layers.kernel[...].shape == (3, 4, 4)
    assert (state.layers.kernel[1][...] == 1).all()


def test_a_live_state_is_migrated(net: Any, equal: Any) -> None:
    pure = nnx.to_pure_dict(net)
    texts = {**pure, "layers": {str(key): item for key, item in pure["layers"].items()}}
    levels = {
        "params": {
            **{key: item for key, item in texts.items() if key != "head"},
            "head": {key: {"value": item} for key, item in pure["head"].items()},
        }
    }
    for tree in (pure, texts, levels, net):
        assert equal(migrate(tree, NetState), net)
    assert equal(migrate(levels, Pure[NetState]), pure)


def test_stacks_of_a_live_state() -> None:
    state = migrate(nnx.State(stack()), ListState)
    assert sorted(state.layers) == [0, 1, 2]
    back = migrate(state, ScanState)
    assert np.array_equal(back.layers.kernel[...], stack()["layers"]["kernel"])


def test_what_can_not_be_placed_is_named() -> None:
    tree = {**entries(), "momentum": {"kernel": jnp.zeros((4, 4))}}
    with pytest.raises(StateTypeError) as error:
        migrate(tree, ListState)
    assert str(error.value).splitlines() == [
        "can't be migrated: it does not fit ListState: 1 violation",
        "  momentum: not declared, found a dict with keys 'kernel' [extra]",
        "  dims: d=4",
    ]


def test_kinds_that_a_state_shows_are_not_changed() -> None:
    state = nnx.State({"kernel": nnx.BatchStat(jnp.ones((2, 3))), "bias": nnx.Param(jnp.ones(3))})
    with pytest.raises(StateTypeError, match="kernel: expected Param, found BatchStat"):
        migrate(state, LinearState)


def test_a_scan_axis_is_not_taken_from_the_wrong_leaves() -> None:
    """Leaves that have not the same number of layers are no stack."""
    tree = stack()
    tree["layers"]["bias"] = jnp.zeros((2, 4))
    with pytest.raises(StateTypeError, match="can't be migrated"):
        migrate(tree, ListState)


# -- Written by older releases of Flax, see write_older.py ----------------------------------

OLDER = Path(__file__).parent / "older"
VERSIONS = ("0.8.5", "0.10.7", "0.11.2", "0.12.0", "0.12.8", "0.12.12")
SgdState = OptimizerState[Chain[TraceState[Only[NetState, nnx.Param]], None]]


def read(version: str, name: str) -> Any:
    return serialization.msgpack_restore((OLDER / version / f"{name}.msgpack").read_bytes())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_model_of_an_older_flax(version: str, equal: Any) -> None:
    path = OLDER / version / "model.msgpack"
    report = verify(path, NetState)
    assert report, str(report)
    assert report.dims == {"d": 4, "classes": 3}
    state = restore(path, NetState).state
    assert explain(state, NetState)
    assert equal(migrate(read(version, "model"), NetState), state)
    parameters = restore(OLDER / version / "orbax", Only[NetState, nnx.Param]).state
    assert equal(parameters.layers, nnx.filter_state(state, nnx.Param).layers)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_optimizer_of_an_older_flax(version: str) -> None:
    path = OLDER / version / "optimizer.msgpack"
    assert verify(path, SgdState)
    restored = restore(path, SgdState, migrate=True)
    assert explain(restored.state, SgdState)
    migrated = migrate(read(version, "optimizer"), SgdState)
    assert explain(migrated, SgdState)
    if hasattr(nnx, "ModelAndOptimizer"):
        assert sorted(restored.state) == sorted(migrated) == ["opt_state", "step"]


class Sums(TypedState):
    total: nnx.Param[Float[Array, ""]]


def test_a_scalar_is_no_stack() -> None:
    with pytest.raises(StateTypeError):
        migrate({"total": {"a": jnp.zeros(())}, "more": jnp.zeros(())}, Sums)
