"""A few draws of ``python -m tests.agreement``; a gate may ask for 100,000."""

from __future__ import annotations

import pytest

from tests.agreement.__main__ import run


@pytest.mark.both_policies
def test_no_door_disagrees() -> None:
    found = run(draws=150, seed=0)
    assert found["fits"] > 20
    assert found["refused"] > 20
