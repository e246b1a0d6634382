"""How pytest-xdist spreads the tests over its workers."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="there are no workers")
def test_the_tests_of_a_file_share_a_worker(request: pytest.FixtureRequest) -> None:
    """With pytest 9.2 the groups of pytest-xdist 3.8 are lost, and nothing says so."""
    assert request.node.nodeid.endswith("@test_workers.py")
