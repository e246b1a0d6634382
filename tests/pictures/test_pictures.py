"""Pictures: what they mark, that they escape, and that plain text stays what it was."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import LinearState, state
from typedstate import (
    Bind,
    Entries,
    Flat,
    SchemaError,
    Stacked,
    StateMap,
    TypedState,
    cli,
    explain,
    show,
)
from typedstate.rendering.html import MEANINGS
from typedstate.rendering.terminal import styled
from typedstate.report import CODES


class ModelState(TypedState):
    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    head: Bind[LinearState, "din=d dout=classes"]


HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></div><b>",
    "\u202eback\u0000wards\n",
    "&lt;",
)


def linear(din: int, dout: int) -> dict[str, Any]:
    return {"kernel": nnx.Param(jnp.ones((din, dout))), "bias": nnx.Param(jnp.ones(dout))}


def model(count: int = 2) -> Any:
    return state({"layers": {i: linear(4, 4) for i in range(count)}, "head": linear(4, 3)})


class Drawn(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def classes(self) -> list[str]:
        return [str(attrs["class"]) for _, attrs in self.tags if "class" in attrs]

    @property
    def text(self) -> str:
        return "".join(self.texts)


def test_a_wrong_leaf_is_marked_with_what_was_expected_and_found() -> None:
    tree = model()
    tree["layers"][1]["kernel"] = nnx.BatchStat(jnp.ones((4, 4)))
    drawn = Drawn(show(tree, ModelState).to_html())
    assert drawn.classes().count("leaf wrong") == 1
    assert 'expected Param[Float[Array, "din dout"]], found BatchStat float32[4,4]' in drawn.text
    assert "does not fit ModelState: 1 violation" in drawn.text
    assert drawn.classes().count("count") == 3  # the root, layers, layers[1]


def test_a_report_alone_draws_what_is_wrong() -> None:
    tree = model()
    del tree["head"]["kernel"]
    report = explain(tree, ModelState)
    drawn = Drawn(report.to_html())
    assert drawn.text.count("missing") == 1
    assert "head1 wrong" in drawn.text
    assert "layers" not in drawn.text
    assert report._repr_html_() in report.to_html()


def test_a_report_of_the_value_itself() -> None:
    drawn = Drawn(explain(3, ModelState).to_html())
    assert "the value" in drawn.text
    assert "found int" in drawn.text


def test_linked_names_have_one_colour() -> None:
    page = show(ModelState).to_html()
    colours = dict[str, set[str]]()
    for colour, name in re.findall(r'<span class="d (d\d)" title="(\w+)">', page):
        colours.setdefault(name, set()).add(colour)
    assert set(colours) == {"d", "classes"}  # din and dout go by what they are linked to
    assert colours["d"].isdisjoint(colours["classes"])
    assert '" title="d">din</span>' in page
    assert '" title="classes">dout</span>' in page


def drawn_dims(hint: Any) -> dict[str, set[str]]:
    """The colours of each dim in a picture."""
    found = dict[str, set[str]]()
    for colour, dim in re.findall(
        r'<span class="d (d\d)[^"]*" title="([^"]+)">', show(hint).to_html()
    ):
        found.setdefault(dim, set()).add(colour)
    return found


class Free(TypedState):
    up: LinearState
    down: Bind[LinearState, "din=4*d dout=3"]
    blocks: Stacked[Bind[LinearState, "din=d dout=d"], "layers"]


def test_names_that_are_not_linked_have_colours_of_their_own() -> None:
    dims = drawn_dims(Free)
    # What is fixed to 3 is no dim any more, and 4*d is a link as d is one.
    assert set(dims) == {"din of up", "dout of up", "4*d", "d", "layers"}
    assert len(set().union(*dims.values())) == 5
    assert set(drawn_dims(StateMap[int, Bind[LinearState, "din=d dout=d"]])) == {"d"}
    counted = Bind[StateMap[int, Bind[LinearState, "din=d dout=d"]], "len=layers"]
    assert set(drawn_dims(counted)) == {"d", "layers"}


def test_uses_of_a_type_argument_are_one_colour() -> None:
    from typedstate import Only
    from typedstate.layers import AdamState, OptimizerState

    assert set(drawn_dims(OptimizerState[AdamState[Only[LinearState, nnx.Param]]])) == {
        "din",
        "dout",
    }


def test_ten_dims_have_ten_colours_and_more_are_underlined() -> None:
    names = " ".join(f"n{index}" for index in range(12))
    hint = type("Wide", (TypedState,), {"__annotations__": {"w": nnx.Param[Float[Array, names]]}})
    colours = [next(iter(found)) for found in drawn_dims(hint).values()]
    assert len(colours) == 12
    assert len(set(colours)) == 10
    assert show(hint).to_html().count(' again"') == 2


def test_links_of_forms_are_said_once() -> None:
    assert str(show(Stacked[Free, "n"])) == (
        "Stacked[Free, 'n']: 6 leaves\n"
        "├─ up: Stacked[LinearState, 'n']\n"
        '│  ├─ kernel: Param[Float[Array, "n din dout"]]\n'
        '│  └─ bias: Param[Float[Array, "n dout"]] | None\n'
        "├─ down: Stacked[LinearState, 'n'] din=4*d dout=3\n"
        '│  ├─ kernel: Param[Float[Array, "n din dout"]]\n'
        '│  └─ bias: Param[Float[Array, "n dout"]] | None\n'
        "└─ blocks: Stacked[Stacked[LinearState, 'layers'], 'n'] din=d dout=d\n"
        '   ├─ kernel: Param[Float[Array, "n layers din dout"]]\n'
        '   └─ bias: Param[Float[Array, "n layers dout"]] | None'
    )
    assert str(show(Bind[Stacked[LinearState, "n"], "n=3 din=e"])).startswith(
        "Stacked[LinearState, 'n'] din=e n=3: 2 leaves"
    )
    assert str(show(Bind[Bind[LinearState, "din=a dout=b"], "b=3"])).startswith(
        "LinearState din=a dout=3: 2 leaves"
    )


def test_a_schema_is_named_once() -> None:
    drawn = Drawn(show(Bind[LinearState, "din=3 dout=4*d"])._repr_html_())
    assert drawn.text.count("din=3 dout=4*d") == 2  # the title, the root
    assert drawn.text.count("LinearState") == 2


def test_a_flat_state_has_one_level() -> None:
    assert str(show(Flat[ModelState])) == (
        "Flat[ModelState]: 4 leaves\n"
        "├─ ('layers', *, 'kernel'): Param[Float[Array, \"din dout\"]]\n"
        "├─ ('layers', *, 'bias'): Param[Float[Array, \"dout\"]] | None\n"
        "├─ ('head', 'kernel'): Param[Float[Array, \"din dout\"]]\n"
        "└─ ('head', 'bias'): Param[Float[Array, \"dout\"]] | None"
    )
    assert "├─ layers/*/kernel: " in str(show(Flat[ModelState, "/"]))
    assert set(drawn_dims(Flat[ModelState])) == {"d", "classes"}


def test_a_terminal_colours_links_alike() -> None:
    coloured = show(ModelState).__rich__()
    styles = dict[str, set[str]]()
    for span in coloured.spans:
        if (color := getattr(span.style, "color", None)) is not None:
            styles.setdefault(coloured.plain[span.start : span.end], set()).add(color.name)
    assert styles["din"] == styles["d"]
    assert styles["dout"] == styles["d"] | styles["classes"]


def test_a_terminal_takes_no_container_for_a_code() -> None:
    coloured = show(ModelState).__rich__()
    assert [span for span in coloured.spans if "red" in str(span.style)] == []
    report = explain({}, ModelState).__rich__()
    marked = [report.plain[one.start : one.end] for one in report.spans if one.style == "bold red"]
    assert set(marked) == {"does not fit", "[missing]"}


def test_bytes_and_placement_are_shown() -> None:
    mesh = jax.make_mesh((2,), ("data",))
    tree = model()
    placed = jax.device_put(jnp.ones((4, 3)), NamedSharding(mesh, P("data", None)))
    tree["head"]["kernel"] = nnx.Param(placed)
    text = Drawn(show(tree).to_html()).text
    assert re.search(
        r"kernel: Param float32\[4,3\]at P\w*\('data',? ?(None)?\)12 numbers, 48 B", text
    )


@pytest.mark.parametrize("key", HOSTILE)
def test_keys_have_no_power_over_the_page(key: str) -> None:
    tree = {**model().raw_mapping, key: {key: nnx.Param(jnp.ones(1))}}
    for page in (show(tree, ModelState).to_html(), explain(tree, ModelState).to_html()):
        tags = {tag for tag, _ in Drawn(page).tags}
        assert tags <= {
            *("html", "head", "meta", "title", "style", "body", "div", "h1", "p"),
            *("details", "summary", "b", "span"),
        }
        assert "\u202e" not in page
        assert "\u0000" not in page
        assert page.count("</style>") == 2


def test_a_page_asks_for_nothing() -> None:
    page = show(model()).to_html()
    assert "default-src 'none'" in page
    assert re.findall(r"(?:src|href)=", page) == []
    assert "url(" not in page


def test_a_large_tree_stands_folded() -> None:
    tree = model(40)
    tree["layers"][7]["bias"] = nnx.Param(jnp.ones(5))
    opened = [
        attrs for tag, attrs in Drawn(show(tree, ModelState).to_html()).tags if "open" in attrs
    ]
    assert len(opened) == 4  # the root, layers, layers[7], head


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(CODES)


@pytest.mark.parametrize("hint", [ModelState, LinearState])
def test_colours_leave_the_text_as_it_is(hint: Any) -> None:
    tree = model()
    tree["head"]["extra"] = nnx.Param(jnp.ones(1))
    for text in (str(explain(tree, hint)), str(show(tree)), str(show(hint))):
        assert styled(text).plain == text
    assert explain(tree, hint).__rich__().plain == str(explain(tree, hint))


def test_show_draws_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", f"{__name__}:ModelState", "--depth", "1"]) == 0
    assert capsys.readouterr().out == (
        "ModelState: 4 leaves\n"
        "├─ layers: StateMap[int] (2 leaves)\n"
        "└─ head: LinearState din=d dout=classes (2 leaves)\n"
    )
    assert str(show(ModelState)).startswith("ModelState: 4 leaves\n├─ layers: StateMap[int]\n")


def test_a_command_colours_links_where_a_person_reads_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert cli.main(["show", f"{__name__}:ModelState"]) == 0
    shown = capsys.readouterr().out
    assert re.sub(r"\x1b\[[\d;]*m", "", shown) == f"{show(ModelState)}\n"
    words = [(word, color) for color, word in re.findall(r"\x1b\[([\d;]+)m(\w+)\x1b", shown)]
    (d,) = {color for word, color in words if word == "d"}
    assert {word for word, color in words if color == d} == {"d", "din", "dout"}
    (classes,) = {color for word, color in words if word == "classes"}
    assert {word for word, color in words if color == classes} == {"classes", "dout"}


def test_commands_write_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["show", f"{__name__}:model", "--html", str(page)]) == 0
    assert "float32[4,3]" in page.read_text()
    assert (
        cli.main(["check", f"{__name__}:wrong", f"{__name__}:ModelState", "--html", str(page)]) == 1
    )
    assert "not declared" not in page.read_text()
    assert "1 wrong" in page.read_text()
    assert "head.more: not declared" in capsys.readouterr().out


def wrong() -> Any:
    tree = model()
    tree["head"]["more"] = nnx.Param(jnp.ones(1))
    return tree


@pytest.mark.parametrize("depth", [150, 5000])
def test_a_tree_of_any_depth_is_drawn_as_far_as_anyone_reads(depth: int) -> None:
    tree: Any = {"w": nnx.Param(jnp.ones(2))}
    for _ in range(depth):
        tree = {"below": tree, "beside": nnx.Param(jnp.ones(3))}
    picture = show(tree)
    assert str(picture).startswith("dict: 100 leaves, 300 numbers, 1.2 KiB\n")
    assert str(picture).count("below (") == 99
    assert "below: a tree nested too deeply to draw\n" in str(picture)
    assert picture.to_html().count("nested too deeply to draw") == 1
    assert "nested too deeply to draw" in show(tree, ModelState).to_html()


def test_what_is_no_tree_is_refused() -> None:
    with pytest.raises(SchemaError, match="a schema, a state, a module or a checkpoint"):
        show(3)


class Formatter:
    """What IPython's formatter of a mime type does with classes of classes."""

    def __init__(self) -> None:
        self.known: dict[type, Any] = {}

    def for_type(self, cls: type, draw: Any) -> None:
        self.known[cls] = draw


def test_a_notebook_is_told_how_schemas_look() -> None:
    import typedstate

    formatter = Formatter()
    display = type("Display", (), {"formatters": {"text/html": formatter}})()
    typedstate.load_ipython_extension(type("Shell", (), {"display_formatter": display})())
    (draw,) = formatter.known.values()
    assert isinstance(ModelState, tuple(formatter.known))
    assert "StateMap[int]" in draw(ModelState)
    assert draw(Entries) is None
