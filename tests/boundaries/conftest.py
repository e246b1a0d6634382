"""Fixtures of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boundaries.hooked_package import MODULE, SCHEMAS, SUB, USE


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "pkg/__init__.py": "",
        "pkg/schemas.py": SCHEMAS,
        "pkg/code.py": MODULE,
        "pkg/sub/__init__.py": "",
        "pkg/sub/deep.py": SUB,
        "use.py": USE,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def policy(code_at_once: None) -> None:
    """Code for the first value: an accepted one is recognised when it comes again."""
