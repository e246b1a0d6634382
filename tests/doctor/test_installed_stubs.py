from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from typedstate.doctor.stubs import stubs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stub package of one module that every Flax has."""
    package = tmp_path / "flax-stubs"
    (package / "nnx").mkdir(parents=True)
    (package / "py.typed").write_text("partial\n")
    (package / "nnx" / "statelib.pyi").write_text("class State: ...\n")
    return package


def _remarks(folder: Path) -> list[str]:
    return list(stubs([str(folder.parent)]).remarks())


def test_partial_stubs_of_existing_modules_fit(folder: Path) -> None:
    assert _remarks(folder) == []


def test_missing_stubs_are_reported(tmp_path: Path) -> None:
    assert list(stubs([str(tmp_path)]).remarks()) == [
        "flax-stubs is not on the import path: type checkers see Flax's own annotations"
    ]


def test_a_missing_marker_is_reported(folder: Path) -> None:
    (folder / "py.typed").unlink()
    assert _remarks(folder) == ["py.typed says nothing, not partial: mypy ignores the stubs"]


def test_a_package_stub_is_reported(folder: Path) -> None:
    (folder / "nnx" / "__init__.pyi").write_text("")
    assert _remarks(folder) == [
        "nnx/__init__.pyi hides the modules of that package which have no stub"
    ]


def test_a_stub_of_no_module_is_reported(folder: Path) -> None:
    (folder / "nnx" / "nowhere.pyi").write_text("")
    assert _remarks(folder) == ["flax.nnx.nowhere is stubbed and does not exist in this Flax"]


def test_a_name_that_flax_lacks_is_reported(folder: Path) -> None:
    (folder / "nnx" / "statelib.pyi").write_text(
        "import sys\n"
        "from typing import Any as Any\n"
        "class State: ...\n"
        "if sys.version_info >= (3, 11):\n"
        "    def melt() -> None: ...\n"
        "def _private() -> None: ...\n"
    )
    found = stubs([str(folder.parent)])
    assert [stub.unknown for stub in found.modules] == [("Any", "melt")]
    assert list(found.remarks()) == [
        "flax.nnx.statelib: the stubs also allow what only other versions of Flax have there: "
        "Any, melt"
    ]
    assert "FlatState" in found.modules[0].undeclared
