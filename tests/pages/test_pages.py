"""Every block of the documentation runs, and what a page shows is what is printed."""

from __future__ import annotations

from pathlib import Path

import jax
import pytest
from flax import nnx

from tests.pages import blocks, readers

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the pages show what Flax 0.12 makes"
)


def compared(page: Path, shown: list[blocks.Shown]) -> None:
    for one in shown:
        place = f"{page.relative_to(blocks.ROOT)}, line {one.block.line}"
        assert blocks.strip(one.block.source) == blocks.strip(one.actual), place


@pytest.mark.parametrize("page", blocks.pages(), ids=lambda page: page.stem)
def test_every_block_runs_and_shows_what_is_so(page: Path, tmp_path: Path) -> None:
    if jax.__version_info__ < (0, 10) and "make_mesh(" in page.read_text(encoding="utf-8"):
        pytest.skip("the page shows meshes as JAX 0.10 makes them, of Explicit axes")
    compared(page, blocks.run(page, tmp_path))


@pytest.mark.slow
def test_type_checkers_say_what_the_pages_show(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    pytest.importorskip("pyright")
    found = readers.snippets(blocks.pages())
    assert found
    for page, shown in readers.answers(found, tmp_path).items():
        compared(page, shown)


def test_a_wrong_output_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "wrong.md"
    page.write_text('```python\nprint(1)\n```\n\n```text title="prints"\n2\n```\n')
    (shown,) = blocks.run(page, tmp_path)
    assert (shown.block.source, shown.actual) == ("2\n", "1")
    assert blocks.written(page, [shown]).endswith('```text title="prints"\n1\n```\n')


def test_a_block_that_raises_unasked_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "raising.md"
    page.write_text("```python\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError):
        blocks.run(page, tmp_path)
