"""Forms of placed trees, and trees of shardings and of partition specs."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from flax.nnx.training.optimizer import OptVariable
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import (
    FsdpState,
    MeshNamedState,
    NamedState,
    messages,
    put,
    unknown,
    weight,
)
from tests.zoo import leaf, named, state
from tests.zoo.meshes import rules_of
from typedstate import (
    Abstract,
    Like,
    Only,
    Placed,
    Pure,
    Shardings,
    Specs,
    TypedState,
    checked,
    explain,
    shardings,
)

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def linear(din: int, dout: int) -> dict[str, Any]:
    return {
        "kernel": leaf(nnx.Param, jnp.ones((din, dout))),
        "bias": leaf(nnx.Param, jnp.ones(dout)),
    }


def model_state(d: int = 8, hidden: int = 16, vocab: int = 12) -> Any:
    blocks = {i: {"up": linear(d, hidden), "down": linear(hidden, d)} for i in range(2)}
    return state({"blocks": blocks, "head": linear(d, vocab)})


def placed_model(mesh: jax.sharding.Mesh) -> Any:
    tree = model_state()
    return jax.device_put(tree, shardings(FsdpState, mesh, like=tree))


def test_forms_of_a_placed_tree(mesh: jax.sharding.Mesh) -> None:
    tree = placed_model(mesh)
    pure = nnx.to_pure_dict(tree)
    moments = jax.tree.map(
        lambda x: leaf(OptVariable, x), pure, is_leaf=lambda x: isinstance(x, jax.Array)
    )
    for value, hint in [
        (tree, Placed[FsdpState]),
        (tree, Placed[Only[FsdpState, nnx.Param]]),
        (pure, Placed[Pure[FsdpState]]),
        (pure, Pure[Placed[FsdpState]]),
        (nnx.State(moments), Placed[Like[FsdpState, OptVariable]]),
    ]:
        assert unknown(explain(value, hint)) == []
    pure["head"]["bias"] = put(P("fsdp"), mesh, (12,))
    for hint in (Placed[Pure[FsdpState]], Pure[Placed[FsdpState]]):
        assert messages(explain(pure, hint)) == [
            "head.bias: expected P('tensor'), found P('fsdp') [sharding]"
        ]


def test_an_abstract_state_is_placed_by_its_shardings(mesh: jax.sharding.Mesh) -> None:
    sharded = jax.ShapeDtypeStruct(
        (8, 16), jnp.float32, sharding=NamedSharding(mesh, P("fsdp", "tensor"))
    )
    hint = Placed[Abstract[MeshNamedState]]
    assert explain(weight(sharded, "fsdp", "tensor"), hint)
    bare = jax.ShapeDtypeStruct((8, 16), jnp.float32)
    assert messages(explain(weight(bare, "fsdp", "tensor"), hint)) == [
        "w: expected P('fsdp', 'tensor'), found no sharding [sharding]"
    ]


@pytest.mark.parametrize("wrap", [False, True])
def test_partitions_are_compared_with_the_declared_names(
    mesh: jax.sharding.Mesh, wrap: bool
) -> None:
    def tree(spec: P) -> Any:
        return state({"w": named(nnx.Param, spec) if wrap else spec})

    hint = Specs[MeshNamedState]
    assert explain(tree(P("fsdp", "tensor")), hint)
    for spec, message in [
        (P("tensor", "fsdp"), "expected P('fsdp', 'tensor'), found P('tensor', 'fsdp')"),
        (P("fsdp"), "expected P('fsdp', 'tensor'), found P('fsdp')"),
        (P("fsdp", None, "tensor"), "expected names for 2 axes, found P('fsdp', None, 'tensor')"),
    ]:
        assert messages(explain(tree(spec), hint)) == [f"w: {message} [sharding]"]


def test_logical_specs_are_resolved_by_the_rules_of_the_context() -> None:
    resolved = state({"w": P("fsdp", "tensor")})
    assert explain(state({"w": P("embed", "mlp")}), Specs[NamedState])
    assert messages(explain(resolved, Specs[NamedState])) == [
        "w: expected P('embed', 'mlp'), found P('fsdp', 'tensor') "
        "(no rules in the context: the names stand for themselves) [sharding]"
    ]
    with rules_of((("embed", "fsdp"), ("mlp", "tensor"))):
        assert explain(resolved, Specs[NamedState])
        assert not explain(state({"w": P("tensor", "fsdp")}), Specs[NamedState])


def test_a_name_that_the_mesh_does_not_have_is_unknown(mesh: jax.sharding.Mesh) -> None:
    found = state({"w": NamedSharding(mesh, P("fsdp", "tensor"))})
    assert unknown(explain(found, Shardings[NamedState])) == [
        "w: no rule and no axis of the mesh (fsdp=4, tensor=2) is called 'embed' "
        "(P('embed', 'mlp'))"
    ]
    assert explain(found, Shardings[MeshNamedState])
    assert not explain(state({"w": NamedSharding(mesh, P())}), Shardings[MeshNamedState])


def test_sizes_must_be_divisible_by_the_mesh(mesh: jax.sharding.Mesh) -> None:
    class Fixed(TypedState):
        w: nnx.Param[Float[Array, "6 d"]]

    tree = state({"w": NamedSharding(mesh, P("fsdp", "tensor"))})
    assert messages(explain(tree, Shardings[Fixed])) == [
        "w: expected axis 0 divisible by fsdp=4, found size 6 [sharding]"
    ]
    assert explain(tree, Shardings[MeshNamedState])
    assert messages(explain(tree, Shardings[MeshNamedState], dims={"hidden": 3})) == [
        "w: expected axis 1 divisible by tensor=2, found size 3 [sharding]"
    ]


def test_sizes_of_another_argument_count(mesh: jax.sharding.Mesh) -> None:
    @checked
    def place(tree: MeshNamedState, shardings: Shardings[MeshNamedState]) -> None:
        """Takes both."""

    target = state({"w": NamedSharding(mesh, P("fsdp", "tensor"))})
    place(weight(jnp.ones((8, 16)), "fsdp", "tensor"), target)
    with pytest.raises(TypeError, match="axis 0 divisible by fsdp=4, found size 6"):
        place(weight(jnp.ones((6, 16)), "fsdp", "tensor"), target)


def test_a_wrong_declaration_of_names_is_said_once(mesh: jax.sharding.Mesh) -> None:
    class WrongState(TypedState):
        kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("fsdp", None)]

    kernel = put(P(None, "fsdp"), mesh)
    found = state({"kernel": named(nnx.Param, kernel, None, "fsdp")})
    assert messages(explain(found, Placed[WrongState])) == [
        "kernel: expected P('fsdp'), found P(None, 'fsdp') [sharding]"
    ]
