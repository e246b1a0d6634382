"""``pytest --typedstate=pkg``: checks every annotated function of packages in a test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.getgroup("typedstate").addoption(
        "--typedstate",
        metavar="PACKAGES",
        help="check all annotated functions of these packages, separated by commas",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Installs the import hook before any test module is imported."""
    text: str | None = config.getoption("--typedstate")
    if not text:
        return
    import pytest

    from typedstate.hook import install_import_hook

    packages = [name.strip() for name in text.split(",") if name.strip()]
    try:
        install_import_hook(*packages)
    except ValueError as error:
        raise pytest.UsageError(f"--typedstate: {error}") from None
