"""Trees that follow another: an optimizer's moments, and what no schema declares."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from flax.nnx.training.optimizer import OptArray, OptVariable
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, BFloat16, Float, Int

from tests.derive.helpers import BIASED, Named, model, raw, refusal
from tests.zoo import LinearState, leaf, state
from typedstate import (
    Cast,
    Entries,
    Like,
    Placed,
    Plus,
    Pure,
    Sharded,
    StateOf,
    TypedState,
    abstract,
    explain,
    shardings,
    specs,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def test_an_optimizer_is_sharded_like_its_model(mesh: jax.sharding.Mesh) -> None:
    Moments = Like[Named, OptVariable]

    class ScaleState(TypedState):
        count: Annotated[OptArray, Int[Array, ""]]
        mu: Moments
        nu: Moments

    class OptimizerState(TypedState, extra="allow"):
        opt_state: Entries[ScaleState]

    optimizer = nnx.Optimizer(model(nnx.Rngs(0)), optax.scale_by_adam(), wrt=nnx.Param)
    tree: Any = nnx.state(optimizer)
    opt_state = tree["opt_state"]
    if "mu" in opt_state:

        class FlatState(TypedState, extra="allow"):
            opt_state: ScaleState

        hint: Any = FlatState
    else:
        hint = OptimizerState
    placed = jax.device_put(tree, shardings(hint, mesh, like=tree))
    assert explain(placed, Placed[hint])
    assert not explain(tree, Placed[hint])


def test_a_state_made_of_states_gets_a_tree_like_it(mesh: jax.sharding.Mesh) -> None:
    class Two(TypedState):
        one: Named
        other: Named

    whole: Any = nnx.state(model(nnx.Rngs(0)))
    tree = nnx.State({"one": whole, "other": whole})
    placed = jax.device_put(tree, shardings(Two, mesh, like=tree))
    assert explain(placed, Placed[Two])
    assert not explain(tree, Placed[Two])


def test_what_is_not_declared_follows_the_tree(mesh: jax.sharding.Mesh) -> None:
    tree = state(
        {
            "kernel": leaf(nnx.Param, jnp.ones((8, 2))),
            "lora": {"a": leaf(nnx.LoRAParam, jnp.ones((8, 2)))},
        }
    )
    hint = Plus[Sharded[LinearState, "din=fsdp"], nnx.LoRAParam]
    found = specs(hint, like=tree)
    assert found == nnx.State({"kernel": P("fsdp"), "lora": {"a": P()}})
    jax.device_put(tree, shardings(hint, mesh, like=tree))


def test_unions_and_trees_of_any_depth_follow_the_tree() -> None:
    class Quantised(TypedState):
        q: nnx.Param[Float[Array, "d n"]]
        scale: nnx.Param[Float[Array, "d"]]

    class S(TypedState):
        w: nnx.Param[Float[Array, "d n"]] | Quantised
        rest: StateOf[nnx.BatchStat[Float[Array, "d"]]]

    hint = Sharded[S, "d=fsdp"]
    rest = {"a": {"b": leaf(nnx.BatchStat, jnp.ones(4))}}
    plain = state({"w": leaf(nnx.Param, jnp.ones((4, 2))), "rest": rest})
    assert specs(hint, like=plain) == nnx.State({"w": P("fsdp"), "rest": {"a": {"b": P("fsdp")}}})
    parts = {"q": leaf(nnx.Param, jnp.ones((4, 2))), "scale": leaf(nnx.Param, jnp.ones(4))}
    quantised = state({"w": parts, "rest": rest})
    found = specs(hint, like=quantised)
    assert found["w"] == {"q": P("fsdp"), "scale": P("fsdp")}
    like = jax.eval_shape(lambda: quantised)
    assert specs(hint, like=like) == found
    assert refusal(specs, hint)[1:] == [
        '  w: which one? choices={"w": 0} for 0: Param[Float[Array, "d n"]], '
        "1: Sharded[Quantised, 'd=fsdp']",
        "  rest: a StateOf does not say which keys there are: give like=",
    ]


def test_a_raw_optax_state_is_a_tuple_of_trees() -> None:
    class Adam(NamedTuple):
        count: Int[Array, ""]
        mu: Pure[LinearState]

    made: Any = abstract(
        tuple[Adam, Pure[LinearState]], din=2, dout=3, dtype=(jnp.float32, jnp.int32), **BIASED
    )
    assert isinstance(made[0], Adam)
    assert made[0].mu["kernel"] == jax.ShapeDtypeStruct((2, 3), jnp.float32)


def test_dtypes_of_a_form_are_those_of_the_tree() -> None:
    made: Any = abstract(Cast[LinearState, BFloat16], din=2, dout=3, **BIASED)
    assert raw(made["kernel"]).dtype == jnp.bfloat16
