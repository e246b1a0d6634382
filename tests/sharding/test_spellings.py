"""Axis names under every spelling of Flax's, and mistakes in those of ours."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.layout import Format
from jax.sharding import NamedSharding, PartitionSpec as P

from tests.sharding.helpers import MeshNamedState, NamedState, messages, weight
from tests.zoo.tower import TowerState
from typedstate import SchemaError, Sharded, explain

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


@pytest.mark.parametrize("key", ["sharding", "sharding_names", "out_sharding"])
@pytest.mark.parametrize(
    "names",
    [
        ("embed", "mlp"),
        ["embed", "mlp"],
        (("embed",), "mlp"),
        P("embed", "mlp"),
        P(("embed",), "mlp"),
    ],
    ids=str,
)
def test_names_are_read_under_every_spelling(key: str, names: Any) -> None:
    """Flax has called them `sharding`, `sharding_names` and `out_sharding` in turn."""
    tree = weight(jnp.ones((8, 16)), **{key: names, "eager_sharding": False})
    assert explain(tree, NamedState)
    turned = weight(jnp.ones((8, 16)), **{key: names[::-1], "eager_sharding": False})
    (line,) = messages(explain(turned, NamedState))
    assert line == "w: expected P('embed', 'mlp'), found P('mlp', 'embed') [sharding]"


def test_names_of_a_sharding_in_the_metadata_are_those_of_its_spec(
    mesh: jax.sharding.Mesh,
) -> None:
    at = NamedSharding(mesh, P("fsdp", "tensor"))
    for place in (at, Format(None, at)):
        tree = weight(jnp.ones((8, 16)), sharding=place, eager_sharding=False)
        assert explain(tree, MeshNamedState)
        assert messages(explain(tree, NamedState)) == [
            "w: expected P('embed', 'mlp'), found P('fsdp', 'tensor') [sharding]"
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hiden=tensor", "no axis is called 'hiden'; did you mean 'hidden'?"),
        ("d", "'d' is not dim=axis or dim=axis,axis"),
        ("d=fsdp d=tensor", "'d' stands there twice"),
        ("d=a-b", "'d=a-b' is not dim=axis or dim=axis,axis"),
        ("", 'write dims with axis names, e.g. "d=fsdp hidden=tensor"'),
    ],
)
def test_mistakes_in_sharded_are_schema_errors(text: str, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        Sharded[TowerState, text]
    assert str(error.value) == f"Sharded[TowerState, {text!r}]: {message}"
