"""Reports, pictures and schemas in a real IPython shell and in real treescope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests.pictures.test_pictures import HOSTILE, ModelState, model
from typedstate import Entries, Picture, Report, explain, show

treescope: Any = pytest.importorskip("treescope")


def wrong() -> Any:
    tree = model()
    tree["layers"][1]["kernel"] = nnx.BatchStat(jnp.ones((4, 4)))
    tree["head"]["more"] = nnx.Param(jnp.ones(2))
    return tree


def test_treescope_draws_reports_as_trees_of_its_own() -> None:
    assert treescope.render_to_text({"step": 3, "report": explain(wrong(), ModelState)}) == (
        "{\n"
        "  'step': 3,\n"
        "  'report': does not fit ModelState: 2 violations\n"
        "    dims: d=4 classes=3\n"
        "    layers\n"
        "      1\n"
        "        kernel\n"
        '          expected Param[Float[Array, "din dout"]], found BatchStat float32[4,4] [kind]\n'
        "    head\n"
        "      more\n"
        "        found Param float32[2] [extra]\n"
        "  ,\n"
        "}"
    )
    assert treescope.render_to_text([explain(model(), ModelState)]) == "[fits ModelState …]"


def test_treescope_opens_what_leads_to_something_wrong() -> None:
    assert treescope.render_to_text(show(wrong(), ModelState)) == (
        "state: 7 leaves, 57 numbers, 228 B\n"
        "  does not fit ModelState: 2 violations\n"
        "  layers  # 40 numbers, 160 B\n"
        "    0  # 20 numbers, 80 B …\n"
        "    1  # 20 numbers, 80 B\n"
        "      kernel: BatchStat float32[4,4]  # 16 numbers, 64 B\n"
        '        expected Param[Float[Array, "din dout"]], found BatchStat float32[4,4] [kind]\n'
        "      bias: Param float32[4]  # 4 numbers, 16 B\n"
        "  head  # 17 numbers, 68 B\n"
        "    kernel: Param float32[4,3]  # 12 numbers, 48 B\n"
        "    bias: Param float32[3]  # 3 numbers, 12 B\n"
        "    more: Param float32[2]  # 2 numbers, 8 B\n"
        "      found Param float32[2] [extra]"
    )


def test_treescope_draws_a_leaf_and_a_schema() -> None:
    assert treescope.render_to_text(show({"w": nnx.Param(jnp.ones(2))})) == (
        "dict: 1 leaf, 2 numbers, 8 B\n  w: Param float32[2]  # 2 numbers, 8 B"
    )
    assert treescope.render_to_text(show(ModelState)) == (
        "ModelState: 4 leaves\n  layers: StateMap[int] …\n  head: LinearState din=d dout=classes …"
    )


def test_linked_dims_have_one_colour_in_treescope() -> None:
    page = treescope.render_to_html(show(ModelState), compressed=False)
    hues = {page[i + 4 : i + 8] for i in range(len(page)) if page.startswith("hsl(", i)}
    assert len(hues) == 2  # d, classes


@pytest.mark.parametrize("key", HOSTILE)
def test_keys_have_no_power_over_what_treescope_shows(key: str) -> None:
    tree = {key: {key: nnx.Param(jnp.ones(1))}}
    for drawn in (show(tree), explain(tree, ModelState)):
        page = treescope.render_to_html(drawn, compressed=False)
        assert "<script>document.title" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page


def test_treescope_adds_no_second_picture() -> None:
    for drawn in (show(ModelState), explain(model(), ModelState)):
        assert "Rich HTML representation" not in treescope.render_to_html(drawn, compressed=False)
    assert not callable(Report._repr_html_)
    assert not callable(Picture._repr_html_)


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    interactive: Any = pytest.importorskip("IPython.core.interactiveshell")
    found = interactive.InteractiveShell.instance()
    found.display_formatter.active_types = list(found.display_formatter.formatters)
    yield found
    interactive.InteractiveShell.clear_instance()


def html(shell: Any, value: object) -> str | None:
    shown: str | None = shell.display_formatter.format(value)[0].get("text/html")
    return shown


def test_a_notebook_draws_reports_and_pictures(shell: Any) -> None:
    assert html(shell, ModelState) is None
    for drawn in (show(wrong(), ModelState), explain(wrong(), ModelState)):
        assert html(shell, drawn) == drawn._repr_html_()


def test_a_notebook_draws_schemas_once_it_is_told(shell: Any) -> None:
    shell.run_line_magic("load_ext", "typedstate")
    assert html(shell, ModelState) == show(ModelState)._repr_html_()
    assert html(shell, Entries) is None
    treescope.register_as_default()
    for value in (ModelState, explain(model(), ModelState)):
        drawn = show(value) if isinstance(value, type) else value
        assert html(shell, value) == drawn._repr_html_()
