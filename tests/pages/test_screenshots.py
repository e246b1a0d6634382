"""The screenshots that are looked at before a release: the script makes them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from scripts.site import browser, screenshots

pytestmark = pytest.mark.slow


def size_of(file: Path) -> tuple[int, int]:
    """The width and height that a PNG says."""
    data = file.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@pytest.fixture
def small(site: Path, tmp_path: Path) -> Path:
    """The site without most of its pages, each of which takes a browser half a second."""
    found = shutil.copytree(site, tmp_path / "site")
    kept = {address.strip("/") or "." for address in screenshots.OFTEN}
    for page in found.rglob("index.html"):
        if page.parent.relative_to(found).as_posix() not in kept:
            page.unlink()
    return found


def test_the_script_photographs_every_page_and_picture(small: Path, tmp_path: Path) -> None:
    try:
        screenshots.main([str(tmp_path), "--site", str(small)])
    except browser.NoBrowser as error:
        pytest.skip(f"no browser: {error}")
    found = {file.stem: file for file in tmp_path.glob("*.png")}
    pages = [page.parent for page in small.rglob("index.html")]
    assert len(pages) == len(screenshots.OFTEN)
    names = {page.relative_to(small).as_posix().replace("/", "-") for page in pages}
    assert (names - {"."}) | {"start", "start-dark", "start-phone"} <= set(found)
    assert {f"picture-{what}-dark" for what in ("schema", "state", "report")} <= set(found)
    assert size_of(found["start-phone"])[0] == 2 * 375
    assert size_of(found["picture-state-light"])[0] == 800
    # What is drawn, and not an empty page: another one in the dark, and some kilobytes of it.
    assert found["start"].read_bytes() != found["start-dark"].read_bytes()
    assert min(file.stat().st_size for file in found.values()) > 5_000


def test_without_a_browser_the_script_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("websockets")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(browser.NoBrowser, match="none of chromium, chromium-browser"),
        browser.opened(tmp_path),
    ):
        pass
