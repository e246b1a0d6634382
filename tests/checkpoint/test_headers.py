"""What is read of an Orbax checkpoint in one go is what Orbax reads leaf by leaf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from etils import epath
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P

from typedstate.checkpoint import orbax_reader
from typedstate.checkpoint.orbax_headers import read_headers


def both(path: Path) -> tuple[Any, Any]:
    """The leaves by path, in one go and by Orbax."""
    found = orbax_reader.find(epath.Path(path), None, None)
    tree = orbax_reader._json(found.folder / "_METADATA", 1 << 20)
    assert tree is not None
    fast = read_headers(found.folder, tree)
    slow = {leaf.path: leaf for leaf in orbax_reader._read_by_orbax(found)}
    return None if fast is None else {leaf.path: leaf for leaf in fast}, slow


@pytest.mark.parametrize("writer", ["standard", "pytree", "pure", "manager", "v1"])
def test_each_writer(writer: str, written: Any) -> None:
    fast, slow = both(written(writer))
    assert fast == slow


def test_dtypes_lists_and_shardings(tmp_path: Path) -> None:
    mesh = jax.make_mesh((2, 4), ("data", "model"), devices=jax.devices()[:8])
    spread = NamedSharding(mesh, P(("data", "model"), None))
    tree = {
        "sharded": jax.device_put(jnp.ones((8, 4)), spread),
        "list": [jnp.ones((), jnp.bfloat16), jnp.zeros((1, 3), jnp.int8)],
        "flag": jnp.ones(2, bool),
        "numpy": np.ones((2, 2), np.uint16),
    }
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "c", tree)
    fast, slow = both(tmp_path / "c")
    assert fast == slow
    assert fast[("sharded",)].sharding == "P(('data', 'model'), None) on data=2, model=4"


@pytest.mark.parametrize("ocdbt", [True, False])
@pytest.mark.parametrize("zarr3", [True, False])
def test_each_layout_of_arrays(ocdbt: bool, zarr3: bool, tmp_path: Path) -> None:
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=ocdbt, use_zarr3=zarr3)
    with ocp.Checkpointer(handler) as checkpointer:
        checkpointer.save(tmp_path / "c", nnx.State({"a": {"b": nnx.Param(jnp.ones((2, 3)))}}))
    fast, slow = both(tmp_path / "c")
    assert fast == slow


@pytest.mark.parametrize("leaf", ["text", 3, {}])
def test_what_is_no_array_is_left_to_orbax(leaf: Any, tmp_path: Path) -> None:
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "c", {"a": jnp.ones(2), "b": leaf})
    fast, slow = both(tmp_path / "c")
    assert fast is None
    assert len(slow) == 2
