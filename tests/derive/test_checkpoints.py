"""Orbax restores into what is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests.derive.helpers import BIASED, GIVEN, Named, model
from typedstate import Placed, Pure, abstract, explain

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def checkpointers() -> dict[str, Any]:
    """The ways of orbax to save a tree and to restore it by an abstract one."""
    ocp = pytest.importorskip("orbax.checkpoint")

    def standard(path: Path, tree: Any, target: Any) -> Any:
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(path, tree)
            checkpointer.wait_until_finished()
            return checkpointer.restore(path, target)

    def pytree(path: Path, tree: Any, target: Any) -> Any:
        with ocp.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(path, tree)
            how = ocp.checkpoint_utils.construct_restore_args(target)
            return checkpointer.restore(
                path, args=ocp.args.PyTreeRestore(item=target, restore_args=how)
            )

    def manager(path: Path, tree: Any, target: Any) -> Any:
        with ocp.CheckpointManager(path) as steps:
            steps.save(0, args=ocp.args.StandardSave(tree))
            steps.wait_until_finished()
            return steps.restore(0, args=ocp.args.StandardRestore(target))

    return {"standard": standard, "pytree": pytree, "manager": manager}


@pytest.mark.parametrize("way", ["standard", "pytree", "manager"])
@pytest.mark.parametrize("pure", [False, True], ids=["state", "pure"])
def test_orbax_restores_what_is_declared(
    mesh: jax.sharding.Mesh, tmp_path: Path, way: str, pure: bool
) -> None:
    saved: Any = nnx.state(model(nnx.Rngs(0)))
    hint: Any = Named
    if pure:
        saved, hint = nnx.to_pure_dict(saved), Pure[Named]
    target = abstract(hint, mesh=mesh, dtype=jnp.float32, **BIASED, **GIVEN)
    restored = checkpointers()[way](tmp_path / "model", saved, target)
    report = explain(restored, Placed[hint])
    assert report, report
    assert not report.unknown
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), saved, restored))
