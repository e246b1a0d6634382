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
KEEPING = {
    "bound": 'Bind[ModelState, ""]',
    "scoped": 'Scoped[ModelState, "other"]',
    "only": "Only[ModelState, nnx.Param]",
    "rest": "Rest[ModelState, nnx.BatchStat]",
    "plus": "Plus[ModelState, nnx.LoRAParam]",
    "having": 'Having[ModelState, "head.bias"]',
    "stacked": 'Stacked[ModelState, "n"]',
    "placed": "Placed[ModelState]",
    "placed_as": 'PlacedAs[ModelState, "where"]',
    "placed_by": "PlacedBy[ModelState, RULES]",
    "sharded": 'Sharded[ModelState, "d=x"]',
    "offloaded": 'MemoryKind[ModelState, "device"]',
    "same": 'Same[ModelState, "T"]',
    "cast": "Cast[ModelState, BFloat16]",
    "nested": 'Only[Stacked[ModelState, "n"], nnx.Param]',
}
#: Forms whose leaves are others: how an attribute or a key is read, and a method that is offered.
CHANGING = {
    "abstract": ("Abstract[ModelState]", ".blocks", "filter"),
    "shardings_": ("Shardings[ModelState]", ".blocks", "filter"),
    "specs_": ("Specs[ModelState]", ".blocks", "filter"),
    "like": ("Like[ModelState, nnx.OptVariable]", ".blocks", "filter"),
    "values": ("Values[ModelState]", ".blocks", "filter"),
    "pure": ("Pure[ModelState]", ".setdefault", "setdefault"),
    "flat": ("Flat[ModelState]", ".setdefault", "setdefault"),
}
TRAIL = "blocks[0].attn.query.kernel"
WAYS = {  # through what is no form of a schema
    "entries": ("Entries[None, ModelState]", f"entries[1].{TRAIL}"),
    "adam": ("OptimizerState[AdamState[ModelState]]", "adam.opt_state.adam"),
}


def text() -> str:
    names = ", ".join(
        [
            "Abstract",
            "Cast",
            "Entries",
            "Flat",
            "Having",
            "Like",
            "MemoryKind",
            "Placed",
            "PlacedAs",
            "PlacedBy",
            "Plus",
            "Pure",
            "Rest",
            "Same",
            "Scoped",
            "Sharded",
            "Shardings",
            "Specs",
            "Stacked",
            "Values",
        ]
    )
    imports = (
        f"from typedstate import {names}\nfrom typedstate.layers import AdamState, OptimizerState\n"
        "from jaxtyping import BFloat16\nRULES = (('d', 'x'),)\n"
    )
    read = {name: (form, f"{name}.{TRAIL}") for name, form in KEEPING.items()}
    read |= {name: (form, f"{name}{way}") for name, (form, way, _) in CHANGING.items()}
    functions = [
        f"def of_{name}({name}: {form}) -> None:\n    {way}\n"
        for name, (form, way) in (read | WAYS).items()
    ]
    door = f"def of_door(model: nnx.Module) -> None:\n    ModelState.of(model).{TRAIL}\n"
    wrong = "def wrong(state: LinearState) -> None:\n    state.krenel\n"
    return "\n".join([SOURCE, imports, *functions, door, wrong])


def shown(title: str) -> list[list[str]]:
    """The blocks of the page under a title."""
    found = re.findall(rf'^```text title="{title}"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    return [block.rstrip("\n").splitlines() for block in found]


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("project").resolve()
    (folder / "states.py").write_text(text())
    prefix = Path(sys.prefix)
    settings = {"venvPath": str(prefix.parent), "venv": prefix.name}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    with opened(folder / "states.py") as found:
        yield found


def at(line: str, word: str) -> tuple[int, int]:
    """Where a word stands in the line that begins so."""
    lines = text().splitlines()
    (number,) = [i for i, one in enumerate(lines) if one.strip().startswith(line)]
    return number, lines[number].index(word)


def place(name: str, word: str) -> tuple[int, int]:
    """Where a word stands in the line that reads a name."""
    return at(f"{name}.{TRAIL}", word)


NAMES = ("state", "params", *KEEPING)
FORMS = {name: form for name, form in KEEPING.items() if name != "nested"}


@pytest.mark.parametrize("name", NAMES)
def test_hover_knows_a_leaf(editor: Editor, name: str) -> None:
    assert re.fullmatch(
        r"\(variable\) kernel: Param\[Array\]\s*", editor.hover(*place(name, "kernel"))
    )
    assert "(variable) query: LinearState" in editor.hover(*place(name, "query"))


@pytest.mark.parametrize("name", NAMES)
def test_completion_offers_the_declared_keys(editor: Editor, name: str) -> None:
    offered = editor.completions(*place(name, "kernel"))
    assert {"kernel", "bias"} <= set(offered)
    assert "attn" not in offered


@pytest.mark.parametrize("name", NAMES)
def test_a_name_leads_to_its_declaration(editor: Editor, name: str) -> None:
    assert editor.definition(*place(name, "kernel")) == ("states.py", at("kernel: ", "kernel")[0])


@pytest.mark.parametrize("name", FORMS)
def test_a_form_says_what_it_is(editor: Editor, name: str) -> None:
    title = FORMS[name].partition("[")[0]
    found = editor.hover(*at(f"def of_{name}(", f"{title}["))
    assert f"\n``{title}[" in found
    assert "mapping" not in found  # how a dict is made, of which it was a subclass


def test_a_name_in_a_form_has_the_type_of_its_leaves(editor: Editor) -> None:
    for name, form in FORMS.items():
        shown = form if name == "placed" else "ModelState"  # Annotated with an argument of its own
        found = editor.hover(*at(f"def of_{name}(", f"{name}:"))
        assert found.splitlines()[0] == f"(parameter) {name}: {shown}"


def test_the_guide_shows_what_hovering_shows(editor: Editor) -> None:
    variables, docstrings = shown("hover")
    for line in variables:
        word = re.findall(r"\) (\w+):", line)[0]
        assert editor.hover(*place("params", word)).splitlines()[0] == line
    schema, only, form = docstrings
    assert schema in editor.hover(*at("query: Bind[", "LinearState"))
    assert only in editor.hover(*at("def of_only", "Only["))
    assert form in editor.hover(*at("def of_abstract", "Abstract["))


def test_the_guide_shows_what_is_offered(editor: Editor) -> None:
    (listed,) = shown("completion")
    assert editor.completions(*place("params", "kernel"))[: len(listed)] == listed


def test_the_guide_shows_where_a_name_leads(editor: Editor) -> None:
    ((line,),) = shown("definition")
    _, number = editor.definition(*place("params", "kernel"))
    assert text().splitlines()[number] == line


def test_the_guide_shows_what_is_said_of_a_misspelt_key(editor: Editor) -> None:
    ((line,),) = shown("diagnosis")
    (found,) = editor.diagnoses(at("state.krenel", "krenel")[0])
    assert found.splitlines()[0] == line


def test_entries_an_optimizer_and_the_door_lead_to_leaves(editor: Editor) -> None:
    kernel = at("kernel: ", "kernel")[0]
    for line in (f"entries[1].{TRAIL}", f"ModelState.of(model).{TRAIL}"):
        assert "kernel: Param[Array]" in editor.hover(*at(line, "kernel"))
        assert editor.definition(*at(line, "kernel")) == ("states.py", kernel)
    assert "AdamState[ModelState]" in editor.hover(*at("adam.opt_state", "opt_state"))


@pytest.mark.parametrize("name", CHANGING)
def test_forms_of_other_leaves_are_what_the_guide_says(editor: Editor, name: str) -> None:
    form, way, method = CHANGING[name]
    word = way.removeprefix(".")
    offered = editor.completions(*at(f"{name}{way}", word))
    assert method in offered
    if word == "blocks":
        assert "blocks: Any" in editor.hover(*at(f"{name}{way}", word))
        assert "blocks" not in offered
    title = form.partition("[")[0]
    assert f"``{title}[S" in editor.hover(*at(f"def of_{name}(", f"{title}["))
