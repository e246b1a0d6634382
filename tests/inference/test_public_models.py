"""The schemas of public models under ``tests/realworld/inferred`` are what `to_source` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from typedstate import to_source
from typedstate.inference.stale import stale

FILES = sorted((Path(__file__).parents[1] / "realworld" / "inferred").glob("[!_]*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_schema_comes_back(file: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), file.name, "exec"), names)
    name, schema = list(names.items())[-1]
    assert stale(file.read_text(), schema, path=file.name, name=name) == ""
    assert f"{name}" in to_source(schema, name=name)


def test_there_are_twenty_models_at_least() -> None:
    assert len(FILES) >= 20
