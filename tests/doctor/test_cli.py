from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import typedstate.doctor
from typedstate.__main__ import main
from typedstate.doctor.diagnosis import Diagnosis, diagnose
from typedstate.doctor.findings import Findings
from typedstate.doctor.stubs import stubs

if TYPE_CHECKING:
    from pathlib import Path

    from typedstate.doctor.record import Record


@pytest.fixture
def result(found: Findings, record: Record) -> Diagnosis:
    return diagnose(found, {**record, found.pair: found}, stubs())


@pytest.fixture(autouse=True)
def diagnosed(monkeypatch: pytest.MonkeyPatch, result: Diagnosis) -> None:
    """The command shows the probe of this test run instead of running another."""
    monkeypatch.setattr(typedstate.doctor, "doctor", lambda: result)


def test_the_report_shows_the_table(capsys: pytest.CaptureFixture[str], found: Findings) -> None:
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    assert report.startswith(f"Flax {found.flax}, JAX {found.jax}\n\nAll is as recorded.\n")
    assert f"in jax.jit              {found.leaves['Linear']['in jax.jit']}\n" in report


def test_all_shows_every_construct(capsys: pytest.CaptureFixture[str], found: Findings) -> None:
    assert main(["doctor", "--all"]) == 0
    report = capsys.readouterr().out
    for name in found.leaves:
        assert f"\n  {name}\n" in report


def test_json_holds_the_findings(capsys: pytest.CaptureFixture[str], found: Findings) -> None:
    assert main(["doctor", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["as_recorded"] is True
    assert Findings.from_json(data["findings"]) == found


def test_a_difference_is_the_exit_status(monkeypatch: pytest.MonkeyPatch, found: Findings) -> None:
    older = replace(found, facts={**found.facts, "nnx.data exists": "perhaps"})
    changed = diagnose(found, {older.pair: older}, stubs())
    monkeypatch.setattr(typedstate.doctor, "doctor", lambda: changed)
    assert main(["doctor"]) == 1


def test_stubs_that_lag_behind_are_said_aloud(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    found: Findings,
) -> None:
    package = tmp_path / "flax-stubs" / "nnx"
    package.mkdir(parents=True)
    (tmp_path / "flax-stubs" / "py.typed").write_text("partial\n")
    (package / "statelib.pyi").write_text(
        "def from_flat_state(flat_state: object) -> object: ...\n"
    )
    lagging = diagnose(found, {found.pair: found}, stubs([str(tmp_path)]))
    monkeypatch.setattr(typedstate.doctor, "doctor", lambda: lagging)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.startswith(
        f"Flax {found.flax}, JAX {found.jax}\n\nAll is as recorded.\n"
        "The stubs are older than this Flax (flax.nnx.statelib): see Stubs. Take a\n"
        "later typedstate, or Flax's own annotations: typedstate flax-stubs off\n"
    )


def test_a_reader_that_goes_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main(["doctor"]) == 1


def test_wrong_usage_is_status_2() -> None:
    assert main(["doctor", "--nonsense"]) == 2


def test_the_package_can_be_called(monkeypatch: pytest.MonkeyPatch, result: Diagnosis) -> None:
    monkeypatch.setattr(typedstate.doctor, "doctor", lambda: result)
    assert sys.modules["typedstate.doctor"]() is result  # type: ignore[operator]
