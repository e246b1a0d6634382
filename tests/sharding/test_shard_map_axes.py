"""Inside shard_map: mesh axes of which only some are manual, modules, keys and boundaries."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Key

from tests.sharding.helpers import messages as lines, unknown
from tests.sharding.shards import Split, Whole, inside, shard_map, vector
from tests.zoo import DenseState, leaf, named, state
from tests.zoo.meshes import mesh_of, set_mesh
from typedstate import Placed, Report, Sharded, StateTypeError, TypedState, checked, explain, fits

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def partly(kind: AxisType, hint: Any, spec: P) -> Report:
    mesh = mesh_of(kind, kind)
    tree = state({"w": leaf(nnx.Param, jnp.ones((8, 4)))})
    with set_mesh(mesh):
        placed = jax.device_put(tree, NamedSharding(mesh, spec))
        manual = P(*(name if name == "fsdp" else None for name in spec))
        return inside(
            lambda shards: explain(shards, hint), placed, manual, mesh, axis_names={"fsdp"}
        )


class MatrixState(TypedState):
    w: nnx.Param[Float[Array, "d n"]]


def test_explicit_axes_beside_manual_ones_are_exact() -> None:
    hint: Any = Placed[Sharded[MatrixState, "n=tensor"]]
    assert unknown(partly(AxisType.Explicit, hint, P(None, "tensor"))) == []
    assert lines(partly(AxisType.Explicit, hint, P("tensor"))) == [
        "w: expected P(None, 'tensor'), found P('tensor') [sharding]"
    ]
    both: Any = Placed[Sharded[MatrixState, "d=fsdp n=tensor"]]
    right = partly(AxisType.Explicit, both, P("fsdp", "tensor"))
    assert unknown(right) == [
        "w: 'fsdp' is Manual: one shard does not show which axis it splits (P('fsdp', 'tensor'))"
    ]
    assert right.dims == {"d": 8, "n": 4}


def test_auto_axes_beside_manual_ones_are_unknown() -> None:
    hint: Any = Placed[Sharded[MatrixState, "n=tensor"]]
    for spec in (P(None, "tensor"), P("tensor")):
        assert unknown(partly(AxisType.Auto, hint, spec)) == [
            "w: 'tensor' is Auto: a tracer does not show it (P(None, 'tensor'))"
        ]


def test_a_mesh_axis_of_size_one_takes_nothing_apart() -> None:
    flat = jax.make_mesh((1, 8), ("fsdp", "tensor"), axis_types=(AxisType.Auto,) * 2)
    report = inside(lambda shards: explain(shards, Split), vector(), P("fsdp"), flat)
    assert unknown(report) == []
    assert report.dims == {"d": 8}


class Linear(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(8, 4, rngs=rngs)


def runs_nnx_shard_map() -> bool:
    """Whether Flax and JAX fit each other there: Flax 0.12.0 and jax 0.8 do not."""
    try:
        run: Any = nnx.shard_map(lambda x: x, mesh=mesh_of(), in_specs=P(), out_specs=P())
        run(jnp.ones(1))
    except TypeError:
        return False
    return True


class HolderState(TypedState):
    linear: DenseState


def test_a_module_in_nnx_shard_map() -> None:
    holder: Any = Placed[Sharded[HolderState, "din=fsdp dout=tensor"]]

    @checked
    def apply(model: Annotated[Linear, holder], x: Float[Array, "batch din"]) -> None:
        """Takes both."""

    if not runs_nnx_shard_map():
        pytest.skip("this Flax calls shard_map as this JAX no longer has it")

    def run(kernel: P) -> None:
        of_leaves = {nnx.filterlib.PathContains("kernel"): kernel, ...: P("tensor")}
        specs = (nnx.StateSharding(of_leaves), P())
        body: Any = nnx.shard_map(apply, mesh=mesh_of(), in_specs=specs, out_specs=None)
        body(Linear(nnx.Rngs(0)), jnp.ones((4, 8)))

    run(P("fsdp", "tensor"))
    with pytest.raises(StateTypeError) as error:
        run(P("fsdp"))
    assert str(error.value).splitlines()[1] == (
        "  model.linear.bias: dout is 4, but dout=8 from model.linear.kernel, axis 1 "
        "(2 in each of 2 shards) [dim]"
    )


def test_keys_are_shards_too() -> None:
    class KeyState(TypedState):
        key: Annotated[nnx.RngKey, Key[Array, "n"]]

    tree = state({"key": leaf(nnx.RngKey, jax.random.split(jax.random.key(0), 8))})
    hint: Any = Placed[Sharded[KeyState, "n=fsdp"]]
    report = inside(lambda shards: explain(shards, hint), tree, P("fsdp"))
    assert unknown(report) == []
    assert report.dims == {"n": 8}


def test_the_fast_path_tells_shards_from_whole_arrays() -> None:
    hint: Any = Split

    def look(shards: Any) -> list[bool]:
        return [fits(shards, hint), bool(explain(shards, hint))]

    mesh = mesh_of()
    placed = jax.device_put(vector(), NamedSharding(mesh, P("fsdp")))
    for _ in range(3):
        assert fits(placed, hint)
        assert inside(look, vector(), P("fsdp")) == [True, True]
        assert inside(look, vector(16), P("fsdp")) == [True, True]
        assert fits(jax.device_put(vector(16), NamedSharding(mesh, P("fsdp"))), hint)


def test_a_dim_of_two_leaves_is_checked_on_the_fast_path_too() -> None:
    class PairState(TypedState):
        shared: Annotated[nnx.Param[Float[Array, "d"]], P("fsdp")]
        whole: Annotated[nnx.Param[Float[Array, "d"]], P(None)]

    def pair(size: int) -> Any:
        shared = named(nnx.Param, jnp.ones(size), "fsdp")
        return state({"shared": shared, "whole": leaf(nnx.Param, jnp.ones(8))})

    def look(shards: Any) -> list[bool]:
        return [fits(shards, Placed[PairState]), bool(explain(shards, Placed[PairState]))]

    specs = nnx.State({"shared": P("fsdp"), "whole": P()})
    for _ in range(3):
        assert inside(look, pair(8), specs) == [True, True]
        assert inside(look, pair(32), specs) == [False, False]


def test_the_check_leaves_the_jaxpr_as_it_is() -> None:
    def step(tree: Any) -> Any:
        return jax.tree.map(lambda x: x * 2, tree)

    def jaxpr(body: Any) -> str:
        whole = shard_map(body, mesh=mesh_of(), in_specs=P(), out_specs=P())
        return str(jax.make_jaxpr(whole)(vector()))

    @checked
    def checked_step(tree: Whole) -> Whole:  # type: ignore[valid-type]
        return step(tree)

    assert jaxpr(checked_step) == jaxpr(step)
