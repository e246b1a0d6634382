"""The import hook keeps the byte code that it made, until source, version or mode change."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from typedstate.boundaries import byte_code
from typedstate.boundaries.import_hook import CheckingLoader


class Loader(CheckingLoader):
    """Counts how often a source is compiled."""

    compiled = 0

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        Loader.compiled += 1
        return super().source_to_code(data, path)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(Loader, "compiled", 0)
    path = tmp_path / "plain.py"
    path.write_text("def double(x: int) -> int:\n    return x + x\n", encoding="utf-8")
    return path


def load(source: Path) -> tuple[CodeType, int]:
    code = Loader("plain", str(source)).get_code("plain")
    assert code is not None
    return code, Loader.compiled


def kept(source: Path) -> list[Path]:
    return sorted(source.parent.glob("__pycache__/plain.*.pyc"))


def test_a_source_is_compiled_once_and_its_code_is_decorated(source: Path) -> None:
    first, count = load(source)
    assert count == 1
    assert load(source) == (first, 1)
    assert "__typedstate_checked__" in first.co_names


def test_a_changed_source_is_compiled_again(source: Path) -> None:
    load(source)
    source.write_text("def treble(x: int) -> int:\n    return x + x + x\n", encoding="utf-8")
    code, count = load(source)
    assert count == 2
    assert "treble" in code.co_names


def test_another_version_or_mode_has_code_of_its_own(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(source)
    for change in ({"MODE": "warn"}, {"__version__": "0.1.1"}):
        for name, value in change.items():
            monkeypatch.setattr(byte_code, name, value)
        byte_code._decorated_by.cache_clear()
        load(source)
        load(source)
    byte_code._decorated_by.cache_clear()
    assert Loader.compiled == 3
    assert len(kept(source)) == 3


@pytest.mark.parametrize("length", [0, 10, 40])
def test_a_damaged_file_is_made_anew(source: Path, length: int) -> None:
    load(source)
    (file,) = kept(source)
    whole = file.read_bytes()
    file.write_bytes(whole[:length] + b"\x00" * (length > 16))
    assert load(source)[1] == 2
    assert file.read_bytes() == whole


def test_nothing_is_kept_where_python_keeps_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    load(source)
    assert load(source)[1] == 2
    assert kept(source) == []
