"""`Sharded`: axis names declared by dims."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import FsdpState, NamedState, messages, weight
from tests.zoo.tower import TowerState
from typedstate import Axis, Sharded, Stacked, TypedState, explain, specs

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def names_by_dims(hint: Any, **given: Any) -> Any:
    """The spec of the only leaf."""
    return specs(hint, **given)["w"]


def test_dims_are_found_where_they_are_written_and_where_they_are_linked() -> None:
    found = specs(FsdpState, layers=1, choices={"*.bias": True})
    assert found["blocks"][0]["up"]["kernel"] == P("fsdp", "tensor")
    assert found["blocks"][0]["up"]["bias"] == P("tensor")
    assert found["blocks"][0]["down"]["kernel"] == P("tensor", "fsdp")
    assert found["head"]["kernel"] == P("fsdp", "tensor")
    inner = specs(Sharded[TowerState, "dout=tensor"], layers=1, choices={"*.bias": False})
    assert inner["blocks"][0]["down"]["kernel"] == P(None, "tensor")


def test_a_mesh_axis_splits_the_first_axis_that_has_it() -> None:
    class Square(TypedState):
        w: nnx.Param[Float[Array, "d d"]]

    assert names_by_dims(Sharded[Square, "d=fsdp"]) == P("fsdp")


def test_expressions_runs_and_pairs_of_axes() -> None:
    class Conv(TypedState):
        w: nnx.Param[Float[Array, "*window cin 4*cout"]]

    hint = Sharded[Conv, "cin=fsdp,tensor 4*cout=model"]
    found = names_by_dims(hint, window=(3, 3))
    assert found == P(None, None, ("fsdp", "tensor"), "model")
    assert explain(weight(jnp.ones((3, 3, 2, 8))), hint)
    assert not explain(weight(jnp.ones((3, 3, 2, 8)), "fsdp"), hint)


def test_stacking_moves_names_by_dims() -> None:
    class Square(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    assert names_by_dims(Stacked[Sharded[Square, "d=fsdp"], "layers"]) == P(None, "fsdp")
    assert names_by_dims(Sharded[Stacked[Square, "layers"], "layers=pipe"]) == P("pipe")
    assert names_by_dims(Stacked[Sharded[Square, "hidden=fsdp"], "n", Axis(-1)]) == P(None, "fsdp")


def test_declared_names_stay_and_metadata_may_be_without() -> None:
    assert names_by_dims(Sharded[NamedState, "d=fsdp"]) == P("embed", "mlp")

    class Plain(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    hint = Sharded[Plain, "d=fsdp"]
    assert explain(weight(jnp.ones((2, 4))), hint)
    assert explain(weight(jnp.ones((2, 4)), "fsdp"), hint)
    assert messages(explain(weight(jnp.ones((2, 4)), "tensor"), hint)) == [
        "w: expected P('fsdp'), found P('tensor') [sharding]"
    ]


def test_one_sharded_over_another_says_more() -> None:
    class Plain(TypedState):
        w: nnx.Param[Float[Array, "d hidden"]]

    by_d = Sharded[Plain, "d=fsdp"]
    assert names_by_dims(Sharded[by_d, "hidden=tensor"]) == P("fsdp", "tensor")
    assert names_by_dims(Sharded[by_d, "d=tensor"]) == P("tensor")
    assert names_by_dims(Sharded[by_d, "d=None"]) == P()
    assert names_by_dims(Sharded[by_d, "hidden=fsdp"]) == P(None, "fsdp")
