"""Flat trees: by joined names and by paths, whichever way round a file has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx

from tests.checkpoint.conftest import raw
from tests.zoo.net import NetState
from typedstate import Flat, Only, Pure, StateTypeError
from typedstate.checkpoint import inspect, restore, save, verify
from typedstate.checkpoint.flat_names import unflattened

Params = Only[NetState, nnx.Param]
HINTS = [Flat[Params], Flat[Params, "/"], Flat[Pure[Params], "."]]


@pytest.fixture
def params(net: Any) -> Any:
    return nnx.filter_state(net, nnx.Param)


def flattened(hint: Any, params: Any) -> dict[Any, Any]:
    """The parameters as a flat tree that fits a hint."""
    by_path = dict(nnx.to_flat_state(params))
    match HINTS.index(hint):
        case 0:
            return by_path
        case 1:
            return {"/".join(map(str, path)): leaf for path, leaf in by_path.items()}
        case _:
            pure: Any = nnx.to_pure_dict(params)
            leaves = nnx.to_flat_state(nnx.State(pure))
            return {".".join(map(str, path)): leaf for path, leaf in leaves}


def arrays(tree: Any) -> dict[str, Any]:
    items = tree.items() if isinstance(tree, dict) else tree
    return {str(key): np.asarray(raw(leaf)) for key, leaf in items}


@pytest.mark.parametrize("hint", HINTS, ids=str)
@pytest.mark.parametrize("writer", ["orbax flat", "orbax nested", "save"])
def test_a_flat_tree_comes_back_flat(writer: str, hint: Any, params: Any, tmp_path: Path) -> None:
    tree = flattened(hint, params)
    if writer == "save":
        save(tmp_path / "c", tree, hint)
        assert inspect(tmp_path / "c").leaves[0].path[0] == "head"
    elif writer == "orbax flat":
        with ocp.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(tmp_path / "c", tree)
    else:
        with ocp.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(tmp_path / "c", params)
    assert verify(tmp_path / "c", hint)
    found = restore(tmp_path / "c", hint).state
    assert arrays(found).keys() == arrays(tree).keys()
    for path, array in arrays(found).items():
        assert np.array_equal(array, arrays(tree)[path])


def test_what_differs_in_a_flat_tree_is_named_and_filled(params: Any, tmp_path: Path) -> None:
    tree = flattened(HINTS[1], params)
    del tree["head/bias"]
    tree["head/scale"] = tree["head/kernel"]
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "c", tree)
    with pytest.raises(StateTypeError) as refused:
        restore(tmp_path / "c", HINTS[1])
    codes = {(one.path, one.code) for one in refused.value.report.violations}
    assert codes == {("head.scale", "extra")}
    with pytest.raises(StateTypeError, match="the given model has it"):
        restore(tmp_path / "c", HINTS[1], allow=["extra"], fill=params)
    found = restore(tmp_path / "c", HINTS[1], allow=["extra", "missing"], fill=params)
    assert found.left_out == ("['head/scale'].value",)
    assert found.filled == ("head.bias",)
    assert set(found.state) == set(flattened(HINTS[1], params))


def test_a_flat_checkpoint_is_not_the_nested_one(params: Any, tmp_path: Path) -> None:
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "c", flattened(HINTS[1], params))
    assert not verify(tmp_path / "c", Params)


@pytest.mark.parametrize("key", ["(" * 3000, "('a', [1])", "()", "(__import__('os'),)", "(1.5,)"])
def test_keys_that_only_look_like_paths_are_keys(key: str) -> None:
    assert unflattened({key: 1}, None) == {key: 1}
