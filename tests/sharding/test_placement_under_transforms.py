"""What of a placement is known of a tracer."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, PartitionSpec as P

from tests.sharding.helpers import MeshNamedState, messages, put, unknown, weight
from tests.zoo.meshes import mesh_of, set_mesh
from typedstate import Placed, Report, explain

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


def placements(tree: Any, run: Any, hint: Any = Placed[MeshNamedState]) -> Report:
    """What a check in the body of a transform reports."""
    found: list[Report] = []

    def body(inner: Any) -> Any:
        found.append(explain(inner, hint))
        return jax.tree.map(lambda x: x * 1.0, inner)

    run(body, tree)
    return found[0]


def jitted(body: Any, tree: Any) -> None:
    jax.jit(body)(tree)


def differentiated(body: Any, tree: Any) -> None:
    jax.jit(jax.grad(lambda t: sum(x.sum() for x in jax.tree.leaves(body(t)))))(tree)


def test_auto_axes_are_unknown_under_tracing(mesh: jax.sharding.Mesh) -> None:
    for spec in (P("fsdp", "tensor"), P("tensor", "fsdp"), P()):
        tree = weight(put(spec, mesh), "fsdp", "tensor")
        for run in (jitted, differentiated):
            assert unknown(placements(tree, run)) == [
                "w: 'fsdp' is Auto: a tracer does not show it (P('fsdp', 'tensor'))"
            ]


def test_explicit_axes_are_exact_under_tracing() -> None:
    explicit = mesh_of(AxisType.Explicit)
    good = weight(put(P("fsdp", "tensor"), explicit), "fsdp", "tensor")
    bad = weight(put(P("tensor", None), explicit), "fsdp", "tensor")
    for run in (jitted, differentiated):
        with set_mesh(explicit):
            assert unknown(placements(good, run)) == []
            assert messages(placements(bad, run)) == [
                "w: expected P('fsdp', 'tensor'), found P('tensor') [sharding]"
            ]


def test_vmap_hides_its_axis_and_shows_the_rest() -> None:
    explicit = mesh_of(AxisType.Explicit)
    stacked = weight(put(P(None, "fsdp", "tensor"), explicit, (3, 8, 16)), "fsdp", "tensor")

    def run(body: Any, tree: Any) -> None:
        jax.vmap(body)(tree)

    assert unknown(placements(stacked, run)) == []


def test_a_tracer_without_a_mesh_is_unknown() -> None:
    tree = weight(jnp.ones((8, 16)), "fsdp", "tensor")
    assert unknown(placements(tree, jitted)) == [
        "w: a tracer without a mesh does not show it (P('fsdp', 'tensor'))"
    ]
