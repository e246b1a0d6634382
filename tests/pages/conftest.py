"""The site as it is built, once for the tests of this folder, and a browser to open it in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.site import browser
from tests.pages.blocks import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")
    if not (ROOT / "src").exists():
        pytest.skip("the site is built from the sources")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[browser.Tab]:
    """A tab of a browser of its own, whose console says nothing until the end of the test."""
    try:
        with browser.opened(tmp_path / "profile") as found:
            yield found
            assert found.said == []
    except browser.NoBrowser as error:
        pytest.skip(f"no browser: {error}")
