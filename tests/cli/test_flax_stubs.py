"""`typedstate flax-stubs` where there is nothing to switch."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from typedstate.cli import main


def test_stubs_of_a_source_tree_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "flax-stubs"
    folder.mkdir()
    (folder / "py.typed").write_text("partial\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert main(["flax-stubs"]) == 0
    assert capsys.readouterr().out == f"on: {folder}\n"
    assert main(["flax-stubs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"state": "on", "folder": str(folder)}
    assert main(["flax-stubs", "off"]) == 1
    assert capsys.readouterr().err == (
        f"typedstate flax-stubs: {folder} was not installed from a wheel: "
        "it is part of a source tree\n"
    )
    assert folder.is_dir()


def test_there_may_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert main(["flax-stubs", "on"]) == 1
    assert capsys.readouterr().err == (
        "typedstate flax-stubs: there is no flax-stubs on the import path\n"
    )


def test_another_word_is_wrong_usage() -> None:
    assert main(["flax-stubs", "perhaps"]) == 2
