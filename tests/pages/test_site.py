"""The built site: links hold, nothing is asked of another host, every name has its entry."""

from __future__ import annotations

import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import typedstate
from tests.pages.blocks import ROOT
from typedstate.report import CODES

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """What a page points at, what it loads, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.anchors.add(str(values["id"]))
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        if tag == "a" and values.get("name"):
            self.anchors.add(str(values["name"]))
        loads = {"script": "src", "img": "src", "link": "href"}
        if tag in loads and values.get(loads[tag]) and values.get("rel") != "canonical":
            self.loaded.append(str(values[loads[tag]]))


def read(site: Path) -> dict[Path, Links]:
    found: dict[Path, Links] = {}
    for page in site.rglob("*.html"):
        if page.name != "404.html":
            found[page] = Links()
            found[page].feed(page.read_text())
    return found


def anchored(page: Links, fragment: str) -> bool:
    return not fragment or unquote(fragment) in page.anchors | {"__skip"}


def test_links_within_the_site_hold(site: Path) -> None:
    pages = read(site)
    broken: list[str] = []
    for page, links in pages.items():
        for link in [*links.links, *links.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (
                target.suffix == ".html" and not anchored(pages[target], parts.fragment)
            ):
                broken.append(f"{page.relative_to(site)}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loaded = {link for links in read(site).values() for link in links.loaded}
    assert loaded
    assert [link for link in loaded if urlsplit(link).netloc] == []
    styles = "".join(file.read_text() for file in site.rglob("*.css"))
    assert re.findall(r"@import|url\(\s*[\"']?https?:", styles) == []


def test_links_to_elsewhere_are_to_the_threads_that_are_named(site: Path) -> None:
    links = {link for one in read(site).values() for link in one.links if urlsplit(link).netloc}
    known = r"https://(github\.com|docs\.[\w.]+|[\w.]+\.readthedocs\.io|squidfunk\.github\.io)/.*"
    assert [link for link in links if not re.fullmatch(known, link)] == []


def names_of_inventory(site: Path) -> set[str]:
    data = (site / "objects.inv").read_bytes()
    lines = zlib.decompress(data.partition(b"zlib.\n")[2]).decode().splitlines()
    return {line.split(" ")[0] for line in lines}


def public_names() -> list[str]:
    return sorted(set(typedstate.__all__) - {"__version__"})


@pytest.mark.parametrize("module", ["typedstate.checkpoint", "typedstate.testing"])
def test_a_module_has_a_reference(site: Path, module: str) -> None:
    imported = __import__(module, fromlist=["__all__"])
    documented = {name.rpartition(".")[2] for name in names_of_inventory(site) if module in name}
    assert set(imported.__all__) - documented == set()


def test_every_public_name_has_a_reference(site: Path) -> None:
    documented = {name.rpartition(".")[2] for name in names_of_inventory(site)}
    assert public_names()
    assert [name for name in public_names() if name not in documented] == []


def test_every_schema_of_the_catalogue_has_an_entry(site: Path) -> None:
    from typedstate import layers

    links = read(site)[site / "reference" / "layers" / "index.html"]
    assert set(layers.__all__) <= links.anchors


def test_every_code_has_an_entry(site: Path) -> None:
    links = read(site)[site / "errors" / "index.html"]
    assert set(CODES) <= links.anchors


def test_docstrings_are_read_as_the_text_that_they_are(site: Path) -> None:
    quoted = re.compile(r"<(pre|code).*?</\1>", re.DOTALL)
    texts = {page: quoted.sub("", page.read_text()) for page in read(site)}
    assert [page.name for page, text in texts.items() if "::</p>" in text or "``" in text] == []


def test_the_readme_links_to_nothing_that_an_index_has_not() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
