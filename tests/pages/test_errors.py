"""The page of errors has an entry for whatever a report may end with or begin with."""

from __future__ import annotations

import re

import pytest

from tests.pages.blocks import DOCS
from typedstate._validation.causes import Mistake
from typedstate.report import CODES

PAGE = (DOCS / "errors" / "index.md").read_text()


def section(heading: str) -> str:
    """What stands below a heading, up to the next."""
    found = re.search(rf"^#+ [^\n]*{re.escape(heading)}[^\n]*\n(.*?)(?=^#+ |\Z)", PAGE, re.M | re.S)
    assert found is not None, heading
    return found[1]


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_an_example_its_report_and_what_to_do(code: str) -> None:
    text = section(f"{{ #{code} }}")
    assert "```python" in text
    assert f"[{code}]" in text
    assert "**What to do.**" in text


CAUSES = [*Mistake, "the arrays are int32 where Float is declared"]


OTHERS = [
    "the optimizer keeps what optax's ",
    "the arrays are on one device, not on the mesh: ",
    "the arrays have one axis more in front, of 5: ",
    "the arrays lack the first axis, members, ",
]


@pytest.mark.parametrize("cause", [*CAUSES, *OTHERS])
def test_a_cause_has_an_example_and_what_to_do(cause: str) -> None:
    (text,) = (
        part for part in re.split(r"^### ", PAGE, flags=re.MULTILINE) if f"  cause: {cause}" in part
    )
    assert "**What to do.**" in text


def test_what_is_said_of_a_tree_one_level_too_deep_has_an_entry() -> None:
    text = section("{ #one-level-too-deep }")
    assert "(the tree is one level too deep: pass what stands under this key)" in text
