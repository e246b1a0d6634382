"""`typedstate stubs`: stubs beside modules, and what became of each as data."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from typedstate.cli import main

SOURCE = """
from flax import nnx

from typedstate import TypedState


class ScaleState(TypedState):
    scale: nnx.Param


def untyped(x):
    return x
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that declares a schema, to be imported as ``scale_states``."""
    path = tmp_path / "scale_states.py"
    path.write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield path
    sys.modules.pop("scale_states", None)


def answers(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[object]]:
    status = main(["stubs", "scale_states", "--json", *arguments])
    return status, json.loads(capsys.readouterr().out)


def test_json_says_what_became_of_each_module(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub = str(module.with_suffix(".pyi"))
    answer = {"module": "scale_states", "path": stub, "error": None, "unannotated": []}
    assert answers(capsys, "--check") == (1, [{**answer, "state": "missing"}])
    found = {**answer, "unannotated": ["untyped"]}
    assert answers(capsys) == (0, [{**found, "state": "written"}])
    assert answers(capsys, "--check") == (0, [{**found, "state": "unchanged"}])
    Path(stub).write_text(Path(stub).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert answers(capsys, "--check") == (1, [{**answer, "state": "outdated"}])
    Path(stub).write_text("x: int\n", encoding="utf-8")
    error = f"{stub} was not written by typedstate stubs"
    assert answers(capsys) == (1, [{**answer, "state": "refused", "error": error}])


def test_words_say_the_same(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stubs", "scale_states"]) == 0
    assert capsys.readouterr().out == (
        f"{module.with_suffix('.pyi')}\nwithout a return annotation, unknown in a stub: untyped\n"
    )
    assert main(["stubs", "no_such_module"]) == 1
    assert capsys.readouterr().err == "typedstate stubs: there is no module 'no_such_module'\n"
