"""What other tools say of the same faults; writes the table of docs/compared.md.

    python -m scripts.compared [--write]

Needs the extra ``[compared]``. A tool is given the most that it can say of a state: beartype and
jaxtyping an annotation, pandera a schema of the state as an xarray tree, chex and penzai a right
state to compare with, Orbax an abstract state to restore into.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import beartype
import chex
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pandera.xarray as pa
import xarray as xr
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, PyTree, jaxtyped
from penzai.core import shapecheck

from typedstate import Bind, Placed, StateMap, TypedState, check

PAGE = Path(__file__).parents[1] / "docs" / "compared.md"
BEGIN, END = "<!-- table: python -m scripts.compared --write -->", "<!-- end of the table -->"


class LinearState(TypedState):
    """A layer, with axis names."""

    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("data", None)]
    bias: nnx.Param[Float[Array, "dout"]]


class NormState(TypedState):
    """A parameter and a statistic."""

    mean: nnx.BatchStat[Float[Array, "d"]]
    scale: nnx.Param[Float[Array, "d"]]


class ModelState(TypedState):
    """The state that is broken below."""

    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    norm: Bind[NormState, "d"]
    head: Bind[LinearState, "din=d dout=classes"]


MESH = jax.make_mesh((2,), ("data",))
ROWS = NamedSharding(MESH, P("data", None))


def linear(din: int, dout: int) -> dict[str, Any]:
    """The leaves of a layer."""
    kernel = jax.device_put(jnp.ones((din, dout)), ROWS)
    with jax.set_mesh(MESH):
        placed = nnx.Param(kernel, out_sharding=("data", None))
    return {"kernel": placed, "bias": nnx.Param(jnp.ones(dout))}


def model(d: int = 8) -> Any:
    """A right state."""
    norm = {"mean": nnx.BatchStat(jnp.ones(d)), "scale": nnx.Param(jnp.ones(d))}
    layers = {0: linear(d, d), 1: linear(d, d)}
    return nnx.State({"layers": layers, "norm": norm, "head": linear(d, 4)})


def renamed() -> Any:
    """A key with another name."""
    state = model()
    state["head"]["baes"] = state["head"].raw_mapping.pop("bias")
    return state


def with_leaf(leaf: Any, *path: Any) -> Any:
    """A right state but for one leaf."""
    state = model()
    below: Any = state
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = leaf
    return state


def without() -> Any:
    """A state that lacks a leaf."""
    state = model()
    del state["layers"][1]["bias"]
    return state


def swapped() -> Any:
    """A statistic and a parameter in each other's place."""
    state = model()
    norm = state["norm"]
    norm["mean"], norm["scale"] = norm["scale"], norm["mean"]
    return state


def replaced() -> Any:
    """An array that does not lie where its names say."""
    state = model()
    value = jax.device_put(jnp.ones((8, 4)), NamedSharding(MESH, P(None, None)))
    state["head"]["kernel"].set_value(value)
    return state


def text_keys() -> Any:
    """Int keys that have become text."""
    state = model()
    layers = state["layers"].raw_mapping
    return nnx.State({**state.raw_mapping, "layers": {str(i): one for i, one in layers.items()}})


CASES: dict[str, Callable[[], Any]] = {
    "right": model,
    "right, of another width": lambda: model(6),
    "a key is misspelt": renamed,
    "a leaf is missing": without,
    "a leaf too many": lambda: with_leaf(nnx.Param(jnp.ones(1)), "head", "gate"),
    "another width in one layer": lambda: with_leaf(
        nnx.Param(jnp.ones((8, 6))), "layers", 1, "kernel"
    ),
    "another width in all of a layer": lambda: with_leaf(linear(6, 6), "layers", 1),
    "another rank": lambda: with_leaf(nnx.Param(jnp.ones((1, 8))), "layers", 0, "bias"),
    "int8 for float32": lambda: with_leaf(nnx.Param(jnp.ones(4, jnp.int8)), "head", "bias"),
    "a Param and a BatchStat swapped": swapped,
    "a raw array for a Param": lambda: with_leaf(jnp.ones(4), "head", "bias"),
    "int keys as text": text_keys,
    "an array placed elsewhere": replaced,
}
RIGHT = ("right", "right, of another width")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as it is asked: `ask` raises where it refuses."""

    name: str
    ask: Callable[[Any], object]


def _plain(state: nnx.State) -> None: ...


def _arrays(state: PyTree[Float[Array, "..."]]) -> None: ...


def tools() -> Iterator[Tool]:
    """Yields every tool, with the most that it can say."""
    yield Tool("beartype", beartype.beartype(_plain))
    yield Tool("jaxtyping", jaxtyped(typechecker=beartype.beartype)(_arrays))
    right = model()
    yield Tool("pandera", lambda state: TREE.validate(as_datatree(state), lazy=True))
    yield Tool("chex", lambda state: chex.assert_trees_all_equal_shapes_and_dtypes(state, right))
    reference = shapecheck.as_array_structure(right)
    yield Tool("penzai", lambda state: shapecheck.check_structure(state, reference))
    yield Tool("Orbax", _restored)
    yield Tool("typedstate", lambda state: check(state, Placed[ModelState]))


#: The dims of leaves, by their names; the leaf of another rank or name has dims of its own.
DIMS = {"kernel": ("din", "dout"), "bias": ("dout",), "mean": ("d",), "scale": ("d",)}


def as_datatree(state: Any) -> Any:
    """A state as pandera can read it: sub-states are nodes, leaves arrays that say their kind."""
    leaves: dict[str, Any] = {}
    children: dict[str, Any] = {}
    items: Mapping[Any, Any] = state
    for key, item in items.items():
        if isinstance(item, Mapping):
            children[str(key)] = as_datatree(item)
            continue
        value = item.get_raw_value() if isinstance(item, nnx.Variable) else item
        names = DIMS.get(key, ())
        names = names if len(names) == value.ndim else [f"{key}_{i}" for i in range(value.ndim)]
        leaves[str(key)] = (names, np.asarray(value), {"kind": type(item).__name__})
    return xr.DataTree(xr.Dataset(leaves), children)


def _level(**kinds: str) -> Any:
    variables = {
        name: pa.DataVar(dtype="float32", dims=DIMS[name], attrs={"kind": kind})
        for name, kind in kinds.items()
    }
    return pa.DatasetSchema(variables, strict=True)


_LINEAR = _level(kernel="Param", bias="Param")
TREE: Any = pa.DataTreeSchema(
    {
        "layers": pa.DataTreeSchema({"0": _LINEAR, "1": _LINEAR}, strict=True),
        "norm": _level(mean="BatchStat", scale="Param"),
        "head": _LINEAR,
    },
    strict=True,
)


def _restored(state: Any) -> None:
    """A checkpoint of a state, restored as the right one."""
    target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), model()
    )
    with tempfile.TemporaryDirectory() as folder, ocp.StandardCheckpointer() as checkpointer:
        path = Path(folder) / "state"
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()
        checkpointer.restore(path, target)


#: A key that a report of the place must have.
PLACES = {
    "a key is misspelt": "baes",
    "a leaf is missing": "layers",
    "a leaf too many": "gate",
    "another width in one layer": "layers",
    "another width in all of a layer": "layers",
    "another rank": "layers",
    "int8 for float32": "bias",
    "a Param and a BatchStat swapped": "mean",
    "a raw array for a Param": "bias",
    "int keys as text": "layers",
    "an array placed elsewhere": "kernel",
}


def verdict(tool: Tool, case: str) -> str:
    """What a tool says of a case."""
    try:
        tool.ask(CASES[case]())
    except Exception as error:
        if case in RIGHT:
            return "**refused**"
        text = str(error)
        if PLACES[case] not in text:
            return "no place"
        return "named" if len(text) < 4000 else f"in {round(len(text), -3):,} characters"
    return "accepted" if case in RIGHT else "**accepted**"


def table() -> str:
    """The table of the page: a wrong answer is bold."""
    asked = list(tools())
    lines = [
        f"| the state | {' | '.join(tool.name for tool in asked)} |",
        f"| --- |{' --- |' * len(asked)}",
    ]
    for case in CASES:
        lines.append(f"| {case} | {' | '.join(verdict(tool, case) for tool in asked)} |")
    return "\n".join(lines)


def versions() -> str:
    """What was asked, in which versions."""
    names = (
        "beartype",
        "jaxtyping",
        "pandera",
        "chex",
        "penzai",
        "orbax-checkpoint",
        "flax",
        "jax",
    )
    return f"Asked were {', '.join(f'{name} {version(name)}' for name in names)}."


def main() -> None:
    """Prints the table, or puts it into the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    start = time.perf_counter()
    found = table()
    if parser.parse_args().write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        shown = f"{BEGIN}\n\n{found}\n\n{versions()}\n\n{END}"
        PAGE.write_text(f"{before}{shown}{rest.partition(END)[2]}")
    print(found)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
