"""Fixtures of these tests."""

from __future__ import annotations

import jax
import pytest
from jax.sharding import AxisType


@pytest.fixture
def mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((4, 2), ("fsdp", "tensor"), axis_types=(AxisType.Auto,) * 2)
