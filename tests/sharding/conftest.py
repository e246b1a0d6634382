"""Fixtures of these tests."""

from __future__ import annotations

import jax
import pytest

from tests.sharding.helpers import mesh_of


@pytest.fixture
def mesh() -> jax.sharding.Mesh:
    return mesh_of()
