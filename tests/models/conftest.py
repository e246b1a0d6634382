"""Fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.zoo.meshes import mesh_of, rules_of
from tests.zoo.sharded_transformer import RULES, abstract_training


@pytest.fixture(autouse=True)
def _rules() -> Iterator[None]:
    with rules_of(RULES):
        yield


@pytest.fixture(scope="module")
def abstract() -> Any:
    return abstract_training(mesh_of())[1]
