"""The environment that the tests run in, wherever they run."""

from __future__ import annotations

import os

#: What makes pytest, rich, mypy and pyright print otherwise than on a plain terminal of 80 columns.
CHANGES_WORDS = (
    "BUILD_NUMBER",
    "CI",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "MYPY_FORCE_COLOR",
    "NO_COLOR",
    "PYTEST_ADDOPTS",
    "PY_COLORS",
    "TTY_COMPATIBLE",
)


def settle() -> None:
    """Sets this process up, and those that it starts: 8 virtual devices, words as on a terminal."""
    for variable in CHANGES_WORDS:
        os.environ.pop(variable, None)
    # Read when JAX first looks for devices, which no import does.
    os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
