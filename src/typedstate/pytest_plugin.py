"""``pytest --typedstate=pkg``: checks every annotated function of packages in a test run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.getgroup("typedstate").addoption(
        "--typedstate",
        metavar="PACKAGES",
        help="check all annotated functions of these packages, separated by commas",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Installs the import hook before a conftest or a test module imports the packages."""
    text: str | None = early_config.known_args_namespace.typedstate
    packages = [name.strip() for name in (text or "").split(",") if name.strip()]
    if not packages:
        return
    from typedstate._compat.requirement import require

    try:
        require()
        from typedstate.boundaries.import_hook import install_import_hook

        install_import_hook(*packages)
    except (ImportError, ValueError) as error:
        raise pytest.UsageError(f"--typedstate: {error}") from None


@pytest.fixture
def typedstate_example(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`typedstate.testing.example` with a key of the test's own: ``(ModelState, d=8)``."""
    import zlib

    from typedstate.testing import example

    node = cast(Any, request).node
    # Not by its own id, to which pytest-xdist may add a group.
    seed = zlib.crc32(f"{node.parent.nodeid}::{node.name}".encode())

    def make(hint: Any, **sizes: Any) -> Any:
        return example(hint, seed, **sizes)

    return make
