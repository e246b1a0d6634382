"""The static suite gets the same verdicts from mypy, pyright, pyrefly and ty."""

from collections.abc import Callable
from pathlib import Path

import pytest
import type_checkers
from flax import nnx
from type_checkers import OFF, PLUGIN, Errors, copy, expected, installed, reported, suite

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
)


@installed("mypy")
def test_mypy() -> None:
    result = type_checkers.mypy(suite(), type_checkers.HERE / "mypy.ini")
    assert reported(result.stdout) == expected(suite()), result.stderr


@installed("mypy")
def test_mypy_with_the_plugin(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    # The suite says what every checker knows; what the plugin reads from modules has its own files.
    config.write_text(PLUGIN.format("typedstate.mypy_plugin") + OFF)
    result = type_checkers.mypy(suite(), config, "-off")
    assert reported(result.stdout) == expected(suite(), "plugin"), result.stderr


@pytest.mark.parametrize(
    "checker",
    [
        pytest.param(type_checkers.pyright, id="pyright", marks=installed("pyright")),
        pytest.param(type_checkers.pyrefly, id="pyrefly", marks=installed("pyrefly")),
        pytest.param(type_checkers.ty, id="ty", marks=installed("ty")),
    ],
)
def test_the_other_checkers(checker: Callable[[Path], Errors], tmp_path: Path) -> None:
    copy(tmp_path)
    assert checker(tmp_path) == expected(suite(), checker.__name__)
