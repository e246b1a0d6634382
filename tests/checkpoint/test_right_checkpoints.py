"""What any writer of the same state wrote is inspected, verified and restored alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float
from safetensors.numpy import save_file

from tests import zoo
from tests.checkpoint.conftest import WRITERS, raw, v1
from tests.zoo.net import Net, NetState
from typedstate import Abstract, Only, Pure, StateMap, TypedState, explain, infer
from typedstate.checkpoint import (
    CheckpointError,
    inspect,
    is_checkpoint,
    restore,
    save,
    save_args,
    verify,
)


@pytest.mark.parametrize("writer", WRITERS)
def test_it_is_verified_and_restored(writer: str, written: Any, net: Any, equal: Any) -> None:
    path = written(writer)
    report = verify(path, NetState)
    assert report, str(report)
    assert report.dims == {"d": 8, "classes": 4}
    restored = restore(path, NetState)
    assert equal(restored.state, net)
    assert explain(restored.state, NetState)
    assert (dict(restored.cast), restored.filled, restored.left_out) == ({}, (), ())
    assert str(restored) == f"restored NetState from {path}"
    assert is_checkpoint(path)


@pytest.mark.parametrize("writer", ["standard", "msgpack"])
def test_what_the_format_forgets_is_unknown(writer: str, written: Any) -> None:
    texts = [str(item) for item in verify(written(writer), NetState).unknown]
    library = {"standard": "Orbax", "msgpack": "Flax's msgpack"}[writer]
    assert texts[0] == f"{library} does not keep of which kind a Variable was"
    if writer == "msgpack":
        (keys,) = texts[1:]
        assert keys.startswith("drop.rngs.")
        assert keys.endswith(
            "key: PRNG keys are stored as numbers; taken for threefry2x32 by their size"
        )


def test_inspect_shows_the_tree(written: Any) -> None:
    checkpoint = inspect(written("pure"))
    assert checkpoint.format == "orbax"
    assert checkpoint.nbytes == sum(leaf.nbytes for leaf in checkpoint.leaves)
    leaves = {leaf.path: (str(leaf.dtype), leaf.shape) for leaf in checkpoint.leaves}
    assert leaves["layers", "0", "kernel"] == ("float32", (8, 8))
    lines = str(checkpoint).splitlines()
    assert lines[0] == f"{written('pure')}: orbax, 12 leaves, 860 B"
    assert ["head.kernel", "float32[8,4]", "128", "B"] in [line.split() for line in lines]
    assert checkpoint.to_dict()["leaves"][0]["keys"] == list(checkpoint.leaves[0].path)


@pytest.mark.parametrize("writer", WRITERS)
def test_inspect_tells_how_far_it_is(writer: str, written: Any) -> None:
    path, seen = written(writer), list[tuple[int, int]]()
    found = inspect(path, progress=lambda *at: seen.append(at))
    parts = 1 if writer == "msgpack" else len(found.leaves)
    assert seen == [(done, parts) for done in range(parts + 1)]


@pytest.mark.parametrize("is_folder", [True, False])
def test_inspect_tells_of_files_of_safetensors(is_folder: bool, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": np.ones(3, np.float32)}, file)
    seen: list[tuple[int, int]] = []
    inspect(tmp_path if is_folder else file, progress=lambda *at: seen.append(at))
    assert seen == [(0, 1), (1, 1)]


def test_inspect_tells_of_what_orbax_reads_in_one_go(tmp_path: Path) -> None:
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "c", {"a": np.ones(2), "b": "text"})
    seen: list[tuple[int, int]] = []
    inspect(tmp_path / "c", progress=lambda *at: seen.append(at))
    assert seen == [(0, 1), (1, 1)]


def test_the_newest_step_is_read_or_the_one_that_is_named(written: Any) -> None:
    assert inspect(written("manager")).step == 12
    assert inspect(written("manager"), step=3).step == 3
    assert (inspect(written("items")).step, inspect(written("items")).item) == (1, "model")


def test_the_state_of_a_checkpoint_can_be_inferred(written: Any, net: Any) -> None:
    state = inspect(written("standard")).state()
    assert explain(state, Abstract[infer(state)])
    assert sorted(state) == sorted(net)
    assert sorted(state["layers"]) == [0, 1]


@pytest.mark.parametrize("hint", [Pure[NetState], Only[NetState, nnx.Param]])
def test_a_form_is_restored(hint: Any, written: Any, net: Any, equal: Any) -> None:
    wanted = {
        "Pure[NetState]": nnx.to_pure_dict(net),
        "Only[NetState, Param]": nnx.filter_state(net, nnx.Param),
    }[hint.__name__]
    allow = () if "Pure" in hint.__name__ else ("extra",)
    restored = restore(written("standard"), hint, allow=allow)
    assert equal(restored.state, wanted)
    assert explain(restored.state, hint)


def test_a_module_gets_the_values_in_place(written: Any, net: Any, equal: Any) -> None:
    model = Net(seed=7)
    kernel = model.head.kernel
    restore(written("standard"), NetState, into=model)
    assert equal(nnx.state(model), net)
    assert model.head.kernel is kernel


def test_records_are_data(written: Any) -> None:
    checkpoint = inspect(written("standard"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        checkpoint.path = Path("elsewhere")  # type: ignore[misc]
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(checkpoint.tree))


def test_a_manager_saves_with_the_document(tmp_path: Path, net: Any, equal: Any) -> None:
    with ocp.CheckpointManager(tmp_path) as manager:
        manager.save(5, args=save_args(net, NetState))
        manager.save(6, args=save_args(Net(seed=3), NetState))
        manager.wait_until_finished()
    for step in (5, 6):
        report = verify(tmp_path, NetState, step=step)
        assert report
        assert report.unknown == ()
        assert equal(restore(tmp_path, NetState, step=step).state, net)


@pytest.mark.skipif(not hasattr(v1, "save_pytree_async"), reason="this Orbax has no v1 interface")
def test_the_v1_interface_saves_in_the_background(tmp_path: Path, net: Any, equal: Any) -> None:
    about = save_args(net, NetState).custom_metadata
    saving = getattr(v1, "save_async", v1.save_pytree_async)  # its newer name
    saving(tmp_path / "tree", net, custom_metadata=about).result()
    assert verify(tmp_path / "tree", NetState).unknown == ()
    assert equal(restore(tmp_path / "tree", NetState).state, net)
    v1.save_checkpointables(tmp_path / "items", {"model": net, "config": {"lr": 0.1}})
    assert verify(tmp_path / "items", NetState, item="model")
    with pytest.raises(CheckpointError, match="it has several items, give item=: config, model"):
        verify(tmp_path / "items", NetState)


def test_an_asynchronous_checkpointer_saves_with_the_document(
    tmp_path: Path, net: Any, equal: Any
) -> None:
    with ocp.AsyncCheckpointer(ocp.StandardCheckpointHandler()) as checkpointer:
        checkpointer.save(tmp_path / "c", args=save_args(net, NetState))
        checkpointer.wait_until_finished()
    assert verify(tmp_path / "c", NetState).unknown == ()
    assert equal(restore(tmp_path / "c", NetState).state, net)


def test_what_orbax_itself_reads_is_the_same(tmp_path: Path, net: Any) -> None:
    save(tmp_path / "c", net, NetState)
    with ocp.StandardCheckpointer() as checkpointer:
        assert checkpointer.restore(tmp_path / "c", net).keys() == net.keys()


@pytest.mark.parametrize("writer", ["standard", "v1", "msgpack"])
def test_a_file_url_is_a_path(writer: str, written: Any, net: Any, equal: Any) -> None:
    url = written(writer).as_uri()
    assert inspect(url).leaves == inspect(written(writer)).leaves
    assert is_checkpoint(url)
    assert equal(restore(url, NetState).state, net)


@pytest.mark.parametrize("sort", ["memory", "https"])
def test_a_url_that_orbax_does_not_read(sort: str) -> None:
    url = f"{sort}://model"
    assert not is_checkpoint(url)
    with pytest.raises(CheckpointError) as error:
        verify(url, NetState)
    assert str(error.value) == (
        f"{url}: can't be read: {sort}:// is no URL that Orbax reads, as gs:// and s3:// are: "
        "copy it to a folder"
    )


class SplitState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d d"]], P("d", None)]
    bias: nnx.Param[Float[Array, "d"]]


class LayersState(TypedState):
    layers: StateMap[int, SplitState]


def test_no_other_weights_after_restore(tmp_path: Path) -> None:
    """Leaves of like shapes, of which each has values of its own, also where keys sort as text."""
    layers = {
        index: {
            "kernel": zoo.named(nnx.Param, jnp.full((8, 8), float(index)), "d", None),
            "bias": nnx.Param(jnp.zeros(8)),
        }
        for index in range(12)
    }
    state = nnx.State({"layers": layers})
    save(tmp_path / "c", state, LayersState)
    mesh = jax.make_mesh((8,), ("d",), devices=jax.devices()[:8])
    for found in (
        restore(tmp_path / "c", LayersState).state,
        restore(tmp_path / "c", LayersState, mesh=mesh).state,
    ):
        for index in range(12):
            kernel = np.asarray(raw(found["layers"][index]["kernel"]))
            assert (kernel == index).all(), index
