"""What every test module shares: 8 virtual devices, a deterministic hypothesis profile.

And code for the first value of every hint, so that no test stops short of the fast path.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from typedstate import _fastpath
from typedstate._fastpath import structures
from typedstate._fastpath.structures import StructureCache

# Read when JAX first looks for devices, which no import does.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

settings.register_profile(
    "typedstate",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("typedstate")


@pytest.fixture(autouse=True)
def code_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generates code already for the first value of a hint, where users get it for the second."""
    monkeypatch.setattr(StructureCache, "meet", lambda _: True)
    monkeypatch.setattr(structures, "RAISES", True)


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the code that was generated since."""
    found: list[str] = []
    generate = _fastpath.generate

    def counted(value: Any, reading: Any, name: str) -> Any:
        found.append(name)
        return generate(value, reading, name)

    monkeypatch.setattr(late, "generate", counted)
    return found
