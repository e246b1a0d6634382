"""Stacks as ``nnx.vmap``, ``nnx.split_rngs`` and ``nnx.scan`` make them of a sharded model."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import messages, rules_of, set_mesh
from tests.zoo import BatchNormState
from typedstate import (
    Abstract,
    Axis,
    Only,
    Placed,
    PlacedBy,
    Pure,
    Specs,
    Stacked,
    TypedState,
    checked,
    explain,
    fits,
    shardings,
)
from typedstate.layers import AdamState, OptimizerState

pytestmark = pytest.mark.skipif(
    len(jax.devices()) != 8 or not hasattr(nnx, "use_eager_sharding"),
    reason="needs 8 virtual devices, and Variables that are placed where they are made",
)
_RULES = [("layers", None), ("fsdp", "fsdp"), ("tensor", "tensor")]


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        kernel = nnx.with_partitioning(nnx.initializers.ones, ("fsdp", "tensor"))
        bias = nnx.with_partitioning(nnx.initializers.zeros, ("tensor",))
        self.up = nnx.Linear(8, 4, kernel_init=kernel, bias_init=bias, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return jnp.pad(self.norm(self.up(x)), ((0, 0), (0, 4)))


class UpState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("fsdp", "tensor")]
    bias: Annotated[nnx.Param[Float[Array, "dout"]], P("tensor")]


class BlockState(TypedState):
    up: UpState
    norm: BatchNormState


#: What a transform is told of the new axis, and the `Axis` options that its states fit.
TOLD: list[tuple[dict[Any, Any], list[Any]]] = [
    ({}, [...]),
    ({nnx.PARTITION_NAME: None}, [..., None]),
    ({nnx.PARTITION_NAME: "layers"}, ["layers"]),
]
told = pytest.mark.parametrize(("metadata", "names"), TOLD, ids=["silent", "none", "layers"])


def stack_of(axis: int, metadata: dict[Any, Any], make: Any = Block, count: int = 2) -> Any:
    axes = nnx.StateAxes({nnx.Param: axis, ...: 0})

    @nnx.split_rngs(splits=count)
    @nnx.vmap(in_axes=(0,), out_axes=axes, transform_metadata=metadata)
    def stack(rngs: nnx.Rngs) -> Any:
        return make(rngs)

    return stack(nnx.Rngs(0))


def hint_of(axis: int, name: Any, inner: Any = BlockState) -> Any:
    params = Stacked[inner, "layers", Axis(axis, name), nnx.Param]
    return Stacked[params, "layers", nnx.Not(nnx.Param)]


@told
@pytest.mark.parametrize("axis", [0, 1])
def test_a_stack_fits_by_what_its_transform_was_told(
    mesh: jax.sharding.Mesh, axis: int, metadata: Any, names: list[Any]
) -> None:
    with set_mesh(mesh):
        found = nnx.state(stack_of(axis, metadata))
    for name in [..., None, "layers"]:
        hint = hint_of(axis, name)
        assert fits(found, hint) is (name in names), name
        assert fits(found, PlacedBy[hint, _RULES]) is (name in names), name
        assert fits(nnx.to_pure_dict(found), Pure[hint])


@told
@pytest.mark.parametrize("axis", [0, 1])
def test_where_a_stack_belongs_is_where_flax_put_it(
    mesh: jax.sharding.Mesh, axis: int, metadata: Any, names: list[Any]
) -> None:
    with set_mesh(mesh):
        found = nnx.state(stack_of(axis, metadata))
    for hint in (hint_of(axis, name) for name in names):
        derived = shardings(hint, mesh, like=found, rules=_RULES)
        kernel = jax.tree.leaves(found["up"]["kernel"])[0]
        assert jax.tree.leaves(derived["up"]["kernel"])[0] == kernel.sharding
        turned = jax.device_put(found, jax.tree.map(lambda _: NamedSharding(mesh, P()), derived))
        wrong = explain(turned, PlacedBy[hint, _RULES])
        assert {str(violation.code) for violation in wrong.violations} == {"sharding"}
        assert explain(jax.device_put(turned, derived), PlacedBy[hint, _RULES])


@told
def test_a_layer_has_its_own_names_within_scan_and_vmap(
    mesh: jax.sharding.Mesh, metadata: Any, names: list[Any]
) -> None:
    seen: list[str] = []

    def note(block: Annotated[Block, BlockState], x: Float[Array, "b 8"]) -> Float[Array, "b 8"]:
        seen.append(type(x).__name__)
        return block(x)

    body = checked(note)
    with set_mesh(mesh):
        block = stack_of(0, metadata)
        nnx.scan(body, in_axes=(0, nnx.Carry), out_axes=nnx.Carry, transform_metadata=metadata)(
            block, jnp.ones((2, 8))
        )
        nnx.vmap(body, in_axes=(0, None), transform_metadata=metadata)(block, jnp.ones((2, 8)))
        for name in names:
            whole = checked(lambda block: None)
            whole.__annotations__ = {"block": Annotated[Block, hint_of(0, name)]}
            nnx.jit(whole)(block)
        assert explain(nnx.state(block), hint_of(0, names[0]))
    assert len(seen) == 2


@told
def test_a_stack_of_stacks_fits(mesh: jax.sharding.Mesh, metadata: Any, names: list[Any]) -> None:
    with set_mesh(mesh):
        found = nnx.state(
            stack_of(0, metadata, lambda rngs: stack_of(0, metadata, count=3), count=5)
        )
    for name in names:
        hint = Stacked[Stacked[BlockState, "inner", Axis(0, name)], "outer", Axis(0, name)]
        if name == "layers":  # Flax names one axis of the array twice, too
            continue
        assert explain(found, hint).dims == {"outer": 5, "inner": 3}
        assert explain(found, Placed[hint])


@told
def test_abstract_stacks_fit(mesh: jax.sharding.Mesh, metadata: Any, names: list[Any]) -> None:
    with set_mesh(mesh), rules_of(_RULES):
        found = nnx.state(nnx.eval_shape(lambda: stack_of(0, metadata)))
        for name in names:
            report = explain(found, Abstract[hint_of(0, name)])
            assert report, report


def test_the_moments_of_a_stack_fit_where_flax_knows_its_axis(mesh: jax.sharding.Mesh) -> None:
    hint = OptimizerState[AdamState[Only[hint_of(0, ...), nnx.Param]]]
    with set_mesh(mesh):
        block = stack_of(0, {nnx.PARTITION_NAME: None})
        found = nnx.state(nnx.Optimizer(block, optax.adam(1e-3), wrt=nnx.Param))
    assert explain(found, hint)
    assert explain(found, Placed[hint])


def test_what_flax_splits_over_the_layers_is_astray(mesh: jax.sharding.Mesh) -> None:
    """Of an axis that no metadata mentions Flax knows nothing: it takes the next one for it."""
    with set_mesh(mesh):
        block = stack_of(0, {}, count=4)
        found = nnx.state(nnx.Optimizer(block, optax.sgd(1e-3, 0.9), wrt=nnx.Param))
    trace = found["opt_state"][0]["trace"]["up"]
    report = explain(trace, Placed[Stacked[Only[UpState, nnx.Param], "layers"]])
    assert not report
    partitions = nnx.get_partition_spec(nnx.state(block))
    assert messages(explain(partitions["up"], Specs[Stacked[UpState, "layers"]])) == [
        "kernel: expected P(None, 'fsdp', 'tensor'), found P('fsdp', 'tensor') [sharding]",
        "bias: expected P(None, 'tensor'), found P('tensor') [sharding]",
    ]
