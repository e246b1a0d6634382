"""Checkpoints of one small model, written once by each writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx, serialization

from tests.zoo.net import Net

try:
    import orbax.checkpoint.experimental.v1 as v1
except ImportError:  # Orbax < 0.11.20
    v1 = None

WRITERS = ("standard", "pytree", "pure", "manager", "items", "v1", "v1manager", "msgpack")


def write(writer: str, path: Path, state: Any) -> Path:
    """Writes a state as a user of that writer does; the path to hand to `inspect`."""
    match writer:
        case "standard":
            with ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save(path, state)
        case "pytree" | "pure":
            tree = nnx.to_pure_dict(state) if writer == "pure" else state
            with ocp.PyTreeCheckpointer() as checkpointer:
                checkpointer.save(path, tree)
        case "manager":
            with ocp.CheckpointManager(path) as manager:
                for step in (3, 12):
                    manager.save(step, args=ocp.args.StandardSave(state))
                manager.wait_until_finished()
        case "items":
            saved = ocp.args.Composite(
                model=ocp.args.StandardSave(state), config=ocp.args.JsonSave({"lr": 0.1})
            )
            with ocp.CheckpointManager(path) as manager:
                manager.save(1, args=saved)
                manager.wait_until_finished()
        case "v1":
            if not hasattr(v1, "save_pytree"):
                pytest.skip("this Orbax has no v1 interface")
            v1.save_pytree(path, state)
        case "v1manager":
            if not hasattr(v1, "save_pytree"):
                pytest.skip("this Orbax has no v1 interface")
            with v1.training.Checkpointer(path) as checkpointer:
                checkpointer.save_pytree(4, state)
        case _:
            pure = jax.tree.map(numbers, nnx.to_pure_dict(state))
            path.write_bytes(serialization.msgpack_serialize(serialization.to_state_dict(pure)))
    return path


def numbers(value: Any) -> Any:
    """An array as Flax's msgpack takes it: of PRNG keys the numbers."""
    if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value)


@pytest.fixture(scope="session")
def net() -> nnx.State[Any, Any]:
    """The state of the model that is saved."""
    return nnx.state(Net(seed=3))


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, net: Any) -> Iterator[Any]:
    """Gives the checkpoint of a writer, written when it is first asked for."""
    made: dict[str, Path] = {}

    def of(writer: str) -> Path:
        if writer not in made:
            made[writer] = write(writer, tmp_path_factory.mktemp("written") / writer, net)
        return made[writer]

    return of


def same(left: Any, right: Any) -> bool:
    """Whether two states have the same keys, kinds and values."""
    lefts, rights = dict(flat(left)), dict(flat(right))
    return lefts.keys() == rights.keys() and all(
        type(one) is type(rights[path])
        and getattr(one, "type", None) is getattr(rights[path], "type", None)
        and np.array_equal(numbers(raw(one)), numbers(raw(rights[path])))
        for path, one in lefts.items()
    )


def flat(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every leaf with its path."""
    if isinstance(tree, Mapping):
        for key, item in tree.items():
            yield from flat(item, (*path, key))
    else:
        yield path, tree


def raw(leaf: Any) -> Any:
    """What a leaf holds."""
    return jax.tree.leaves(leaf)[0]


@pytest.fixture(scope="session")
def equal() -> Any:
    """`same`, for tests."""
    return same
