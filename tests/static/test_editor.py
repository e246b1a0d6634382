"""What an editor shows of schemas, as the guide says: hover, completion, definitions, by form."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from language_server import Editor, opened
from type_checkers import installed

pytestmark = [pytest.mark.slow, installed("pyright")]

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "editor.md").read_text()
SOURCE = PAGE.partition('```python title="states.py"\n')[2].partition("```")[0]
FORMS = {
    "bound": 'Bind[ModelState, ""]',
    "scoped": 'Scoped[ModelState, "other"]',
    "only": "Only[ModelState, nnx.Param]",
    "rest": "Rest[ModelState, nnx.BatchStat]",
    "plus": "Plus[ModelState, nnx.LoRAParam]",
    "stacked": 'Stacked[ModelState, "n"]',
    "placed": "Placed[ModelState]",
    "sharded": 'Sharded[ModelState, "d=x"]',
    "same": 'Same[ModelState, "T"]',
    "cast": "Cast[ModelState, BFloat16]",
    "nested": 'Only[Stacked[ModelState, "n"], nnx.Param]',
}
TRAIL = "blocks[0].attn.query.kernel"


def text() -> str:
    names = "Cast, Placed, Plus, Rest, Same, Scoped, Sharded, Stacked"
    imports = f"from typedstate import {names}\nfrom jaxtyping import BFloat16\n"
    functions = [
        f"def of_{name}({name}: {form}) -> None:\n    {name}.{TRAIL}\n"
        for name, form in FORMS.items()
    ]
    return "\n".join([SOURCE, imports, *functions])


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("project").resolve()
    (folder / "states.py").write_text(text())
    prefix = Path(sys.prefix)
    settings = {"venvPath": str(prefix.parent), "venv": prefix.name}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    with opened(folder / "states.py") as found:
        yield found


def place(name: str, word: str) -> tuple[int, int]:
    """Where a word stands in the line that reads a name."""
    lines = text().splitlines()
    (line,) = [i for i, one in enumerate(lines) if one.strip() == f"{name}.{TRAIL}"]
    return line, lines[line].index(word)


NAMES = ("state", "params", *FORMS)


@pytest.mark.parametrize("name", NAMES)
def test_hover_knows_a_leaf(editor: Editor, name: str) -> None:
    shown = editor.hover(*place(name, "kernel"))
    assert re.fullmatch(r"\(variable\) kernel: Param\[Array\]\s*", shown)
    assert "(variable) query: LinearState" in editor.hover(*place(name, "query"))


@pytest.mark.parametrize("name", NAMES)
def test_completion_offers_the_declared_keys(editor: Editor, name: str) -> None:
    offered = editor.completions(*place(name, "kernel"))
    assert {"kernel", "bias"} <= set(offered)
    assert "attn" not in offered


@pytest.mark.parametrize("name", NAMES)
def test_a_name_leads_to_its_declaration(editor: Editor, name: str) -> None:
    lines = text().splitlines()
    (kernel,) = [i for i, line in enumerate(lines) if line.startswith("    kernel: ")]
    assert editor.definition(*place(name, "kernel")) == ("states.py", kernel)
