"""The same faulty checkpoints for Orbax alone and for typedstate, as a table.

``python -m tests.checkpoint.comparison`` prints it; docs/guides/checkpoints.md holds it.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from flax import nnx
from jaxtyping import Array, Float, Int8

from tests.zoo import DenseState
from typedstate import Bind, Stacked, StateMap, StateTypeError, TypedState
from typedstate.checkpoint import CheckpointError, restore, save

try:
    import orbax.checkpoint.experimental.v1 as v1
except ImportError:  # Orbax < 0.11.20
    v1 = None


class NetState(TypedState):
    layers: StateMap[int, Bind[DenseState, "din=d dout=d"]]


class StatState(TypedState):
    kernel: nnx.BatchStat[Float[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class StatsState(TypedState):
    layers: StateMap[int, Bind[StatState, "din=d dout=d"]]


class Int8DenseState(TypedState):
    kernel: nnx.Param[Int8[Array, "din dout"]]
    bias: nnx.Param[Float[Array, "dout"]]


class Int8State(TypedState):
    layers: StateMap[int, Bind[Int8DenseState, "din=d dout=d"]]


class ScannedState(TypedState):
    layers: Bind[Stacked[DenseState, "n"], "din=d dout=d"]


def tree(kind: type[nnx.Variable[Any]] = nnx.Param, dtype: Any = jnp.float32) -> dict[str, Any]:
    def layer(number: int) -> dict[str, Any]:
        kernel = kind(jnp.full((4, 4), number, dtype))
        return {"kernel": kernel, "bias": nnx.Param(jnp.zeros(4))}

    return {"layers": {index: layer(index) for index in range(2)}}


def stacked() -> dict[str, Any]:
    kernel, bias = nnx.Param(jnp.zeros((2, 4, 4))), nnx.Param(jnp.zeros((2, 4)))
    return {"layers": {"kernel": kernel, "bias": bias}}


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    made = copy.copy(tree())
    change(made["layers"])
    return made


def pure(tree: dict[str, Any]) -> dict[str, Any]:
    """The same arrays without Variables."""
    held: dict[str, Any] = nnx.to_pure_dict(nnx.State(tree))
    return held


def no_damage(folder: Path) -> None:
    """The checkpoint stays as it was written."""


def truncated(folder: Path) -> None:
    """Each file of arrays loses its second half."""
    for file in folder.rglob("*"):
        if file.is_file() and file.parent.name == "d":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def unfinished(folder: Path) -> None:
    """As a save leaves it that was killed before it wrote what the tree is like."""
    for file in folder.rglob("_METADATA"):
        file.unlink()


#: What is written, what is wanted of it as a tree, and as a schema, and what became of the files.
Case = tuple[dict[str, Any], dict[str, Any], Any, Callable[[Path], None]]
CASES: dict[str, Callable[[], Case]] = {
    "right": lambda: (tree(), tree(), NetState, no_damage),
    "a pure dict for Variables": lambda: (pure(tree()), tree(), NetState, no_damage),
    "a leaf is missing": lambda: (
        changed(lambda x: x[1].pop("bias")),
        tree(),
        NetState,
        no_damage,
    ),
    "a leaf is misspelt": lambda: (
        changed(lambda x: x[1].update(kernal=x[1].pop("kernel"))),
        tree(),
        NetState,
        no_damage,
    ),
    "a leaf too many": lambda: (
        changed(lambda x: x[1].update(scale=nnx.Param(jnp.ones(4)))),
        tree(),
        NetState,
        no_damage,
    ),
    "another shape": lambda: (
        changed(lambda x: x[1].update(kernel=nnx.Param(jnp.ones((4, 3))))),
        tree(),
        NetState,
        no_damage,
    ),
    "float32 for int8": lambda: (tree(), tree(dtype=jnp.int8), Int8State, no_damage),
    "a Param for a BatchStat": lambda: (tree(), tree(nnx.BatchStat), StatsState, no_damage),
    "stacked layers for a list": lambda: (stacked(), tree(), NetState, no_damage),
    "a list for stacked layers": lambda: (tree(), stacked(), ScannedState, no_damage),
    "arrays that are truncated": lambda: (tree(), tree(), NetState, truncated),
    "a save that was killed": lambda: (tree(), tree(), NetState, unfinished),
}


def said(error: Exception) -> str:
    text = str(error).partition(", value: {")[0]  # JAX shows a whole tree, which names no path
    if any(word in text for word in ("bias", "kernel", "kernal", "scale")):
        return "refused, path named"
    return "refused, file named" if "_METADATA" in str(error) else "refused, no path"


def outcome(work: Callable[[], Any]) -> str:
    try:
        work()
    except (StateTypeError, CheckpointError) as error:
        return said(error)
    except Exception as error:  # whatever a library raises
        return said(error)
    return "accepted"


def leaf_of(tree: Any) -> Any:
    """The first leaf of nested dicts."""
    return leaf_of(next(iter(tree.values()))) if isinstance(tree, dict) else tree


def row(case: Callable[[], Case], folder: Path) -> tuple[str, str, str]:
    written, wanted, hint, damage = case()
    at = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), nnx.State(wanted)
    )

    saved: Any = nnx.State(written) if isinstance(leaf_of(written), nnx.Variable) else written

    def old() -> Any:
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(folder / "old", saved)
            checkpointer.wait_until_finished()
            damage(folder / "old")
            return checkpointer.restore(folder / "old", target)

    def new() -> Any:
        v1.save_pytree(folder / "new", saved)
        damage(folder / "new")
        return v1.load_pytree(folder / "new", target)

    def ours() -> Any:
        kind = type(written["layers"][0]["kernel"]) if 0 in written["layers"] else None
        if hint is StatsState and kind is nnx.Param:
            save(folder / "ours", nnx.State(written), NetState)
            return restore(folder / "ours", hint)
        return restore(folder / "old", hint)

    return outcome(old), outcome(new), outcome(ours)


def table() -> str:
    """The table as Markdown."""
    lines = [
        "| the checkpoint | Orbax v0 | Orbax v1 | typedstate |",
        "| --- | --- | --- | --- |",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, case in CASES.items():
            with tempfile.TemporaryDirectory() as folder:
                lines.append(f"| {name} | {' | '.join(row(case, Path(folder)))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
