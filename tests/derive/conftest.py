"""Fixtures of these tests."""

from __future__ import annotations

import jax
import pytest

from tests.zoo.meshes import mesh_of


@pytest.fixture
def mesh() -> jax.sharding.Mesh:
    return mesh_of()


@pytest.fixture(autouse=True)
def policy(code_at_once: None) -> None:
    """Code for the first value: an accepted one is recognised when it comes again."""
