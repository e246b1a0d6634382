from __future__ import annotations

from typing import TYPE_CHECKING

from typedstate.doctor import probe as probing
from typedstate.doctor.constructs import CONSTRUCTS, Construct
from typedstate.doctor.contexts import CONTEXTS

if TYPE_CHECKING:
    import pytest

    from typedstate.doctor.findings import Findings


def test_every_construct_is_seen_in_every_context(found: Findings) -> None:
    assert list(found.leaves) == [item.name for item in CONSTRUCTS]
    for row in found.leaves.values():
        assert list(row) in (["built"], [item.name for item in CONTEXTS])


def test_the_usual_module_is_taken_everywhere(found: Findings) -> None:
    refused = {name for name, cell in found.leaves["Linear"].items() if cell.startswith("raises ")}
    assert refused <= {"nnx.split(graph=False)"}


def test_a_construct_that_cannot_be_built_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> object:
        raise NotImplementedError

    monkeypatch.setattr(probing, "CONSTRUCTS", (Construct("broken", fail),))
    monkeypatch.setattr(probing, "facts", dict)
    assert probing.probe().leaves == {"broken": {"built": "raises NotImplementedError"}}
    assert probing.probe().keys == {"broken": {"": "raises NotImplementedError"}}
