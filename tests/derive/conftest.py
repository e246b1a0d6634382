"""Fixtures of these tests."""

from __future__ import annotations

import jax
import pytest
from jax.sharding import AxisType


@pytest.fixture
def mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((4, 2), ("fsdp", "tensor"), axis_types=(AxisType.Auto,) * 2)


@pytest.fixture(autouse=True)
def policy(code_at_once: None) -> None:
    """Code for the first value: an accepted one is recognised when it comes again."""
