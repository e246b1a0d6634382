"""The moments of an optimizer have the axis names of their parameters."""

from __future__ import annotations

from typing import Any

import jax
import pytest
from flax.nnx.training.optimizer import OptVariable

from tests.sharding.helpers import NamedState, messages, moments, unknown
from tests.zoo.meshes import rules_of
from typedstate import Like, Placed, Sharded, TypedState, explain, shardings
from typedstate._compat import axis_rules, variables

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


class MomentsState(TypedState):
    mu: Like[NamedState, OptVariable]
    nu: Like[NamedState, OptVariable]


def test_moments_have_the_names_of_their_parameters(mesh: jax.sharding.Mesh) -> None:
    tree = moments(mesh)
    assert explain(tree, MomentsState)
    other = Sharded[MomentsState, "hidden=tensor"]
    assert messages(explain(tree, other)) == [
        f"{name}.w: expected P('embed', 'tensor'), found P('embed', 'mlp') [sharding]"
        for name in ("mu", "nu")
    ]


def test_moments_may_have_names_of_their_own(mesh: jax.sharding.Mesh) -> None:
    """From Flax 0.12.8 a parameter's ``optimizer_sharding`` becomes the names of its moments."""
    tree = moments(mesh, optimizer_sharding=("embed", None))
    names = axis_rules.declared_names(variables.metadata_of(tree["mu"]["w"]))
    own: Any = Sharded[MomentsState, "hidden=None"]
    hint, wrong = (own, MomentsState) if names == ("embed",) else (MomentsState, own)
    assert explain(tree, hint), explain(tree, hint)
    assert {violation.code for violation in explain(tree, wrong).violations} == {"sharding"}
    with rules_of((("embed", "fsdp"), ("mlp", "tensor"))):
        placed = jax.device_put(tree, shardings(hint, mesh, like=tree))
        assert unknown(explain(placed, Placed[hint])) == []
        assert not explain(placed, Placed[wrong])
