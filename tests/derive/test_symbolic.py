"""Sizes that ``jax.export`` leaves open are sizes to `abstract`, `specs` and `shardings`."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import export
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.derive.helpers import LinearState, refusal
from typedstate import Abstract, Bind, StateMap, TypedState, abstract, explain, shardings


class Wide(TypedState):
    up: Bind[LinearState, "din=d dout=4*d"]
    down: Bind[LinearState, "din=d-1 dout=d//2"]
    square: Bind[LinearState, "din=d dout=d**2"]


class Rows(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d"]], P("x")]


class Layers(TypedState):
    layers: Bind[StateMap[int, LinearState], "len=n"]


def symbol() -> Any:
    (found,) = export.symbolic_shape("d")
    return found


def test_a_symbolic_size_is_one() -> None:
    d = symbol()
    made = abstract(Wide, d=d, dtype=jnp.float32, choices={"*.bias": False})
    shapes = [leaf.shape for leaf in jax.tree.leaves(made)]
    assert shapes == [(d - 1, d // 2), (d, d**2), (d, 4 * d)]
    report = explain(made, Abstract[Wide])
    assert report
    assert str(report.unknown[0]) == "up.kernel: axis 0 is symbolic"


def test_what_is_exported_takes_it() -> None:
    made: Any = abstract(Rows, d=symbol(), dtype=jnp.float32)

    def double(tree: Any) -> Any:
        return jax.tree.map(lambda array: 2 * array, tree)

    exported = export.export(jax.jit(double))(nnx.to_pure_dict(made))
    assert (exported.call({"kernel": jnp.ones(5)})["kernel"] == 2).all()


def test_whether_it_can_be_divided_shows_later() -> None:
    mesh = jax.make_mesh((len(jax.devices()),), ("x",))
    found: Any = shardings(Rows, mesh, d=symbol())
    assert found["kernel"] == NamedSharding(mesh, P("x"))
    made: Any = abstract(Rows, mesh=mesh, d=symbol(), dtype=jnp.float32)
    assert jax.tree.leaves(made)[0].sharding == NamedSharding(mesh, P("x"))


def test_a_number_of_entries_is_none() -> None:
    given: dict[str, Any] = {"din": 2, "dout": 3, "dtype": jnp.float32}
    lines = refusal(lambda: abstract(Layers, n=symbol(), choices={"*.bias": False}, **given))
    assert lines == [
        "abstract(Layers) can't be made:",
        "  layers: how many entries? d is symbolic",
    ]


@pytest.mark.parametrize("size", [2.0, "4", (2, 3.0)])
def test_what_is_no_size_is_refused(size: Any) -> None:
    wrong = size[1] if isinstance(size, tuple) else size
    assert refusal(lambda: abstract(Rows, d=size, dtype=jnp.float32)) == [
        f"abstract(Rows): d={wrong!r} is no size; give an int"
    ]


def test_a_size_that_is_none_is_not_given() -> None:
    assert refusal(lambda: abstract(Rows, d=None, dtype=jnp.float32)) == [
        "abstract(Rows) can't be made:",
        "  kernel: axis 0 is open: give d=",
    ]


def test_sizes_of_a_run_are_no_single_size() -> None:
    assert refusal(lambda: abstract(Rows, d=(2, 3), dtype=jnp.float32)) == [
        "abstract(Rows) can't be made:",
        "  kernel: axis 0 is open: d=(2, 3) is no single size",
    ]


@pytest.mark.parametrize("size", [np.int64(4), np.array(4)])
def test_an_integer_of_numpy_is_a_size(size: Any) -> None:
    made: Any = abstract(Rows, d=size, dtype=jnp.float32)
    assert [leaf.shape for leaf in jax.tree.leaves(made)] == [(4,)]
