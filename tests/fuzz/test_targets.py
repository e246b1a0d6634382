"""The fuzzed properties under hypothesis, drawn from one seed each time."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS


@pytest.mark.both_policies
@pytest.mark.parametrize("target", TARGETS)
def test_a_fuzzed_property_holds(target: str) -> None:
    TARGETS[target]()
