"""Checked dataclasses whose fields hold what stands for a whole tree: ``in_axes``, masks."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, cast

import jax
import jax.numpy as jnp
import pytest
from flax import struct
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from typedstate import StateTypeError, checked

ONES = jnp.ones(3)


@checked
@struct.dataclass
class Batch:
    x: Float[Array, "b d"]
    y: Float[Array, "b"]
    name: str = struct.field(pytree_node=False, default="train")


@checked
@struct.dataclass
class Both:
    left: Batch
    right: Batch | None
    scale: float = 1.0


@checked
@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Registered:
    x: Float[Array, "b d"]
    name: str = dataclasses.field(metadata={"static": True}, default="train")


@checked
@dataclasses.dataclass
class Plain:
    x: Float[Array, "b d"]


@checked
@struct.dataclass
class Numbers:
    steps: int
    rate: float


def test_a_container_may_be_the_prefix_of_a_tree() -> None:
    """``in_axes``, ``in_specs`` and masks are trees of the container's class."""
    batch = Batch(jnp.ones((3, 2)), jnp.ones(3))

    def loss(one: Batch) -> Any:
        return one.x.sum() * one.y.sum()

    for _ in range(3):
        axes = Batch(x=0, y=0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert jax.vmap(loss, in_axes=(axes,))(batch).shape == (3,)
        half: Any = cast(Any, Batch)(0, None)
        assert jax.vmap(loss, in_axes=(half,))(batch).shape == (3,)
    make: Any = Batch
    make(P("x"), P())
    make(jax.sharding.SingleDeviceSharding(jax.devices()[0]), None)
    make(True, False)
    make((0, 1), {"a": None, "b": 0})
    both: Any = Both
    both(make(0, 0), None)
    both(0, None, None)
    cast(Any, Registered)(0)
    cast(Any, Registered)(0, name="other")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: cast(Any, Batch)(0, jnp.ones(3)), 'x: expected Float[Array, "b d"], found int'),
        (lambda: cast(Any, Batch)(None, None), 'x: expected Float[Array, "b d"], found None'),
        (lambda: cast(Any, Batch)("a", 0), 'x: expected Float[Array, "b d"], found str'),
        (lambda: cast(Any, Batch)(0.5, 0), 'x: expected Float[Array, "b d"], found float'),
        (lambda: cast(Any, Both)(0, 0, 0.5), "left: expected Batch, found int"),
        (lambda: cast(Any, Plain)(0), 'x: expected Float[Array, "b d"], found int'),
        (lambda: cast(Any, Numbers)(0, "a"), "rate: "),
        (lambda: cast(Any, Numbers)(None, 1), "steps: "),
    ],
)
def test_what_is_no_prefix_is_refused(make: Any, said: str) -> None:
    with pytest.raises(StateTypeError, match=re.escape(said)):
        make()
