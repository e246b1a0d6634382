"""Axis names in metadata beside declared ones, and the rules that resolve them."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import flax.linen as nn
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.sharding.helpers import NamedState, messages, put, unknown, weight
from tests.zoo.meshes import rules_of
from typedstate import Axis, Placed, PlacedBy, SchemaError, Stacked, TypedState, explain
from typedstate._compat import axis_rules, variables
from typedstate._sharding import axis_names

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


@pytest.mark.parametrize(
    ("names", "fits_too"),
    [
        (("embed", "mlp"), True),
        ((("embed",), "mlp"), True),
        (("mlp", "embed"), False),
        (("embed",), False),
        ((("embed", "mlp"), None), False),
    ],
)
def test_names_in_metadata_are_compared(names: tuple[Any, ...], fits_too: bool) -> None:
    assert bool(explain(weight(jnp.ones((2, 4)), *names), NamedState)) is fits_too


def test_names_are_padded_with_none_on_the_right() -> None:
    class S(TypedState):
        w: Annotated[nnx.Param[Float[Array, "a b c"]], P("x", None, None)]

    assert explain(weight(jnp.ones((2, 2, 2)), "x"), S)
    assert explain(weight(jnp.ones((2, 2, 2)), "x", None), S)
    found = explain(weight(jnp.ones((2, 2, 2)), None, "x"), S)
    assert messages(found) == ["w: expected P('x'), found P(None, 'x') [sharding]"]


def test_metadata_without_names_is_like_names_that_split_nothing() -> None:
    class S(TypedState):
        w: Annotated[nnx.Param[Float[Array, "a b"]], P(None, None)]

    assert explain(weight(jnp.ones((2, 2))), S)
    found = explain(weight(jnp.ones((2, 4))), NamedState)
    assert messages(found) == [
        "w: expected P('embed', 'mlp'), found no names in its metadata [sharding]"
    ]


def test_stacking_inserts_its_partition_name_or_none() -> None:
    stacked = jnp.ones((3, 2, 4))
    inserted = Stacked[NamedState, "layers", Axis(0, "layers")]
    assert explain(weight(stacked, "layers", "embed", "mlp"), inserted)
    assert not explain(weight(stacked, "embed", "mlp"), inserted)
    assert explain(weight(stacked, "embed", "mlp"), Stacked[NamedState, "layers"])


_names = st.tuples(*[st.sampled_from(["embed", "mlp", "data", None])] * 2)
_rules = st.lists(
    st.tuples(st.sampled_from(["embed", "mlp"]), st.sampled_from(["data", "model", None])),
    max_size=3,
)


@given(names=_names, context=_rules, own=_rules)
def test_names_resolve_as_in_get_partition_spec(
    names: tuple[Any, ...], context: list[Any], own: list[Any]
) -> None:
    metadata = {"sharding_rules": tuple(own)} if own else {}
    tree = weight(jnp.ones((2, 2)), *(names if any(names) else ()), **metadata)
    with rules_of(tuple(context)):
        try:
            found: Any = nnx.get_partition_spec(tree)["w"]
        except ValueError:
            with pytest.raises(ValueError, match="Inconsistent"):
                axis_names.resolve(names, None, own)
            return
        resolved = axis_names.resolve(names if any(names) else (), None, own)
    assert resolved == axis_rules.axis_names(variables.raw_value(found))


def test_rules_come_from_argument_variable_and_context(mesh: jax.sharding.Mesh) -> None:
    placed = put(P("fsdp", "tensor"), mesh)
    rules = (("embed", "fsdp"), ("mlp", "tensor"))
    plain = weight(placed, "embed", "mlp")
    own = weight(placed, "embed", "mlp", sharding_rules=rules)
    assert unknown(explain(plain, Placed[NamedState])) == [
        "w: no rule and no axis of the mesh (fsdp=4, tensor=2) is called 'embed' "
        "(P('embed', 'mlp'))"
    ]
    assert unknown(explain(own, Placed[NamedState])) == []
    assert unknown(explain(plain, PlacedBy[NamedState, rules])) == []
    assert unknown(explain(plain, PlacedBy[NamedState, rules])) == []
    swapped = weight(put(P("tensor", "fsdp"), mesh), "embed", "mlp")
    assert messages(explain(swapped, PlacedBy[NamedState, rules])) == [
        "w: expected P('fsdp', 'tensor'), found P('tensor', 'fsdp') [sharding]"
    ]
    with pytest.raises(SchemaError) as raised:
        Placed[NamedState, rules]
    assert str(raised.value) == (
        "Placed[NamedState, ...]: with rules it is PlacedBy[NamedState, rules]"
    )
    with pytest.raises(SchemaError, match=r"^PlacedBy\[NamedState, \.\.\.\]: rules are pairs"):
        PlacedBy[NamedState, 3]
    with rules_of(rules):
        assert unknown(explain(plain, Placed[NamedState])) == []
    with rules_of((("embed", "tensor"), ("mlp", "fsdp"))):
        assert messages(explain(plain, Placed[NamedState])) == [
            "w: expected P('tensor', 'fsdp'), found P('fsdp', 'tensor') [sharding]"
        ]
        assert messages(explain(own, Placed[NamedState])) == [
            "w: expected P('embed', 'mlp'), found rules that contradict each other (Inconsistent "
            "logical axis annotations for embed: tensor vs fsdp) [sharding]"
        ]


def test_first_fit_rules_may_be_a_callable(mesh: jax.sharding.Mesh) -> None:
    rules = (("embed", "fsdp"), ("mlp", "fsdp"), ("mlp", "tensor"))
    first_fit = functools.partial(nn.logical_to_mesh_axes, rules=rules)
    placed = weight(put(P("fsdp", "tensor"), mesh), "embed", "mlp")
    assert unknown(explain(placed, PlacedBy[NamedState, first_fit])) == []
    swapped = weight(put(P("tensor", "fsdp"), mesh), "embed", "mlp")
    assert not explain(swapped, PlacedBy[NamedState, first_fit])
