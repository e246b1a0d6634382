"""Fixtures of these tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def policy(code_at_once: None) -> None:
    """Code for the first value: an accepted one is recognised when it comes again."""
