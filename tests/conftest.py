"""What every test module shares: 8 virtual devices, a deterministic hypothesis profile.

The recompile policy is that of users. A test that has to reach generated code with the first value
asks for ``code_at_once``; what draws values at random is marked ``both_policies``.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pytest
from hypothesis import HealthCheck, settings

from tests import environment
from typedstate import _fastpath
from typedstate._fastpath import structures
from typedstate._fastpath.structures import RecompilePolicy, set_recompile_policy

TESTS = Path(__file__).parent
#: Folders whose files share what takes long to make: caches of mypy, the site, the doctor's probe.
TOGETHER = ("static", "pages", "doctor")

environment.settle()
# Most of what is compiled here runs once, on a few numbers.
jax.config.update("jax_disable_most_optimizations", True)

settings.register_profile(
    "typedstate",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("typedstate")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Single files run in this process: workers would take longer to start than they save."""
    if config.args and all(".py" in argument for argument in config.args):
        return 0
    return None


@pytest.hookimpl(tryfirst=True)  # before xdist, which writes the groups into the tests' names
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of a file on one worker, and those of the folders that are `TOGETHER`.

    The files that take longest go first, so that the workers end at about the same time.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    static = TESTS / "static"
    items.sort(key=lambda item: (static not in item.path.parents, item.path not in slow))
    for item in items:
        file = item.path.relative_to(TESTS)
        group = file.parts[0] if file.parts[0] in TOGETHER else str(file)
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """What is imported and collected stays: to look through it takes a collection a second."""
    gc.collect()
    gc.freeze()


#: Code for the first value of every hint, where users get it for the second.
AT_ONCE = RecompilePolicy(delay=0)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what is marked ``both_policies`` as users have it, and with code for the first value."""
    if metafunc.definition.get_closest_marker("both_policies"):
        metafunc.fixturenames.append("recompile_policy")
        policies = [
            pytest.param(RecompilePolicy(), id="users"),
            pytest.param(AT_ONCE, id="at once"),
        ]
        metafunc.parametrize("recompile_policy", policies, indirect=True)


@pytest.fixture
def recompile_policy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Another policy for one test."""
    before = set_recompile_policy(request.param)
    yield
    set_recompile_policy(before)


@pytest.fixture
def code_at_once() -> Iterator[None]:
    """Generates code already for the first value of a hint, so that no test stops short of it."""
    before = set_recompile_policy(AT_ONCE)
    yield
    set_recompile_policy(before)


@pytest.fixture(autouse=True)
def generation_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while code is generated fails a test; users get the walk again."""
    monkeypatch.setattr(structures, "RAISES", True)


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the code that was generated since."""
    found: list[str] = []
    generate = _fastpath.generate

    def counted(value: Any, trace: Any) -> Any:
        found.append(type(value).__name__)
        return generate(value, trace)

    monkeypatch.setattr(_fastpath, "generate", counted)
    return found
