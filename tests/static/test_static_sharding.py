"""States of specs and shardings, and the functions that keep what they are given."""

from typing import Any, assert_type

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from flax.nnx import spmd
from jax.sharding import NamedSharding, PartitionSpec
from static_check import check
from static_models import Leaf, Net, linear, linear_state, net

Params = nnx.State[Any, nnx.Param[jax.Array]]
LIKE_LINEAR = {"partition_name": "layers"}


def mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((1,), ("data",))


def made() -> nnx.Linear:
    return linear()


def held(state: nnx.State[Any, Any]) -> set[type]:
    """The classes of what the leaves of a state hold."""
    return {type(x) for x in jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, PartitionSpec))}


def test_specs_and_shardings() -> None:
    params: Params = nnx.state(linear(), nnx.Param)
    specs = nnx.get_partition_spec(params)
    check(assert_type(specs, nnx.State[Any, Leaf]), nnx.State)  # plugin: Expression is of type "State[Any, Param[P]]", not "State[Any, Variable[Any] | Any]"  [assert-type]  # fmt: skip
    assert held(specs) == {PartitionSpec}
    placed = nnx.get_named_sharding(params, mesh())
    check(assert_type(placed, nnx.State[Any, Leaf]), nnx.State)  # plugin: Expression is of type "State[Any, Param[NamedSharding]]", not "State[Any, Variable[Any] | Any]"  [assert-type]  # fmt: skip
    assert held(placed) == {NamedSharding}
    check(assert_type(nnx.get_partition_spec(linear_state()), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.get_partition_spec(jnp.ones(2)), PartitionSpec), PartitionSpec)
    check(assert_type(nnx.get_named_sharding(jnp.ones(2), mesh()), NamedSharding), NamedSharding)
    variable = nnx.Param(jnp.ones(2))
    check(assert_type(spmd.get_var_pspec(variable), PartitionSpec | None), PartitionSpec)


def test_what_is_kept() -> None:
    def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jnp.ones(shape)

    key = jax.random.key(0)
    check(assert_type(nnx.with_partitioning(init, ("data", None))(key, (2, 3)), jax.Array), object)
    params: Params = nnx.state(linear(), nnx.Param)
    check(assert_type(spmd.add_axis(params, 0, LIKE_LINEAR), Params), nnx.State)
    check(assert_type(spmd.remove_axis(params, 0, LIKE_LINEAR), Params), nnx.State)


@pytest.mark.skipif(not hasattr(nnx, "as_abstract"), reason="came with a later Flax")
def test_abstract_models() -> None:
    graphdef, state = nnx.get_abstract_model(made, mesh())
    check(assert_type(graphdef, nnx.GraphDef[nnx.Linear]), nnx.GraphDef)
    check(assert_type(state, nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.get_abstract_model(made, mesh())[0], nnx.GraphDef[nnx.Linear]), object)
    abstract = nnx.eval_shape(net)
    check(assert_type(nnx.as_abstract(abstract), Net), Net)
    with pytest.deprecated_call():
        check(assert_type(nnx.abstract_with_sharding(abstract), Net), Net)
