"""How far a call goes: `ARCHITECTURE.md` has the figures of `scripts.structure`."""

from __future__ import annotations

import pytest

from tests import zoo

pytest.importorskip("grimp")  # of import-linter, which counts the rooms


@pytest.mark.skipif(zoo.HAS_VARIABLE_STATE, reason="Flax 0.10 has the kind of a leaf in no slot")
def test_a_known_call_stays_in_generated_code() -> None:
    from scripts.structure import trips

    known = dict(trips())["a known call"]
    assert known.rooms == {"generated"}
    assert known.calls == 3  # the wrapper, and one function for each argument
