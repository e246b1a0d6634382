"""What is inferred of Flax's layers that have axis names."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests.inference.inferred import built, linear, said
from tests.zoo.meshes import set_mesh


def sharded(din: int, dout: int, *, use_bias: bool) -> nnx.Linear:
    init = nnx.with_partitioning(nnx.initializers.normal(), ("fsdp", "tp"))
    return linear(din, dout, use_bias=use_bias, kernel_init=init)


@pytest.mark.parametrize(
    ("biases", "line"),
    [
        ((False, False), None),
        ((True, True), '    bias: nnx.Param[Float[Array, "dout"]]'),
        ((True, False), '    bias: nnx.Param[Float[Array, "dout"]] | None'),
    ],
)
def test_a_sharded_layer_has_a_bias_as_the_model_has(
    biases: tuple[bool, bool], line: str | None
) -> None:
    def Sharded(self: Any) -> None:
        self.up = sharded(4, 6, use_bias=biases[0])
        self.down = sharded(6, 4, use_bias=biases[1])

    with set_mesh(jax.make_mesh((1, 1), ("fsdp", "tp"))):
        first, second, *rest = said(built(Sharded)).splitlines()
    assert first == "class ShardedLinearState(TypedState):"
    assert second == '    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("fsdp", "tp")]'
    assert rest[0] == (line or "")


def test_a_class_of_the_users_keeps_its_name_beside_a_sharded_layer() -> None:
    class ShardedLinear(nnx.Module):
        def __init__(self) -> None:
            self.weight = nnx.Param(jnp.zeros((4, 4)))

    def Both(self: Any) -> None:
        self.own = ShardedLinear()
        self.theirs = sharded(4, 6, use_bias=False)

    with set_mesh(jax.make_mesh((1, 1), ("fsdp", "tp"))):
        source = said(built(Both))
    assert "    own: Bind[ShardedLinearState, " in source
    assert "    theirs: Bind[TheirsLinearState, " in source


def test_of_two_norms_of_one_class_the_sharded_one_says_so() -> None:
    class Scale(nnx.Module):
        def __init__(self, *names: str) -> None:
            self.scale = nnx.Param(jnp.ones(4), **({"sharding": names} if names else {}))

    def Two(self: Any) -> None:
        self.before = Scale("tp")
        self.after = Scale()

    with set_mesh(jax.make_mesh((1,), ("tp",))):
        source = said(built(Two))
    assert "class ShardedScaleState(TypedState):" in source
    assert "    before: Bind[ShardedScaleState, " in source
    assert "    after: Bind[ScaleState, " in source
