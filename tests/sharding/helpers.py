"""Schemas with axis names, states and meshes that the tests of sharding share."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import as_dict, leaf, state
from tests.zoo.meshes import rules_of as rules_of, set_mesh as set_mesh
from tests.zoo.tower import TowerState
from typedstate import Report, Sharded, TypedState


class NamedState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "d hidden"]], P("embed", "mlp")]


class MeshNamedState(TypedState):
    w: Annotated[nnx.Param[Float[Array, "d hidden"]], P("fsdp", "tensor")]


FsdpState = Sharded[TowerState, "d=fsdp hidden=tensor vocab=tensor"]


def weight(value: Any, *names: Any, **metadata: Any) -> Any:
    if names:
        metadata = {"sharding": names, "eager_sharding": False, **metadata}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Flax says "out_sharding" for "sharding"
        return state({"w": leaf(nnx.Param, value, **metadata)})


def put(spec: P, mesh: jax.sharding.Mesh, shape: tuple[int, ...] = (8, 16)) -> jax.Array:
    return jax.device_put(jnp.ones(shape), NamedSharding(mesh, spec))


def messages(report: Report) -> list[str]:
    return [str(violation) for violation in report.violations]


def unknown(report: Report) -> list[str]:
    assert report, report
    return [str(item) for item in report.unknown]


def moments(mesh: jax.sharding.Mesh, **metadata: Any) -> Any:
    """What ``nnx.Optimizer`` keeps of a parameter at P('fsdp', 'tensor')."""
    rules = (("embed", "fsdp"), ("mlp", "tensor"))

    class Model(nnx.Module):
        def __init__(self) -> None:
            init = nnx.with_partitioning(nnx.initializers.ones, ("embed", "mlp"), **metadata)
            self.w = nnx.Param(init(jax.random.key(0), (8, 16), jnp.float32))

    with set_mesh(mesh), rules_of(rules):
        optimizer = nnx.Optimizer(Model(), optax.scale_by_adam(), wrt=nnx.Param)
    tree = as_dict(nnx.state(optimizer))["opt_state"]
    tree = tree if "mu" in tree else tree[0]
    return nnx.State({"mu": tree["mu"], "nu": tree["nu"]})
