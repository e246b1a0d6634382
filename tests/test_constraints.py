"""What constraints.txt pins: everything that the extras ask for by name, and no place of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def named(text: str) -> str:
    """A project's name in the only spelling that is compared."""
    return re.sub(r"[-_.]+", "-", text).lower()


def wanted() -> dict[str, Requirement]:
    """What the project asks for itself, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    requirements = [Requirement(text) for texts in lists for text in texts]
    return {named(item.name): item for item in requirements if item.name != "typedstate"}


def pins() -> dict[str, list[Requirement]]:
    """The lines of constraints.txt, by name: some have one for older and one for newer Pythons."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        item = Requirement(line)
        found.setdefault(named(item.name), []).append(item)
    return found


@pytest.mark.parametrize("name", wanted())
def test_what_is_asked_for_is_pinned_within_its_bounds(name: str) -> None:
    assert name in pins(), "nox -s lock"
    for pin in pins()[name]:
        (only,) = pin.specifier
        assert only.operator == "=="
        assert wanted()[name].specifier.contains(only.version)


def test_no_place_is_named() -> None:
    assert not re.search(r"://|--|@", (ROOT / "constraints.txt").read_text())
