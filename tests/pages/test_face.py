"""What a stranger looks at first: versions agree, templates are forms, links are on the pages."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts import release
from tests.pages.blocks import DOCS, ROOT

pytestmark = pytest.mark.skipif(
    not (ROOT / ".github").exists(), reason="these files are in a checkout only"
)


def test_the_versions_agree() -> None:
    release.versions_agree()


def test_a_version_that_differs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "version", lambda: "9.9.9")
    with pytest.raises(AssertionError, match=r"pyproject\.toml 9\.9\.9"):
        release.versions_agree()


def test_a_release_asks_for_addresses_and_takes_no_invented_ones(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\n")
    with pytest.raises(AssertionError, match="names no Source, Documentation, Changelog, Issues"):
        release.project_has_a_home(file)
    addresses = "".join(f'{name} = "https://example.org/{name}"\n' for name in release.URLS)
    file.write_text(f"[project.urls]\n{addresses}")
    with pytest.raises(AssertionError, match=r"no addresses of a project: https://example\.org"):
        release.project_has_a_home(file)
    file.write_text(f"[project.urls]\n{addresses.replace('example.org', 'github.com/them/it')}")
    release.project_has_a_home(file)


def test_issue_templates_are_forms() -> None:
    found = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(found) == 3
    for file in found:
        form = yaml.safe_load(file.read_text())
        assert {"name", "description", "body"} <= set(form)
        identities = [item["id"] for item in form["body"]]
        assert len(set(identities)) == len(identities)
        assert all(item["attributes"]["label"] for item in form["body"])


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert {page for page in pages if page not in navigation} == set()
