"""What the site's pages are given when it is built.

Each ``<!-- generated: NAME -->`` is replaced by what a function of that name yields, each
``<!-- drawn: EXPRESSION -->`` by the picture that a notebook would show of it, ``<!-- terminal:
EXPRESSION -->`` by what ``rich.print`` prints of it; expressions are over what the page's blocks
have made. mkdocs calls `on_page_markdown` (``hooks`` in mkdocs.yml).
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
PLACE = re.compile(r"^<!-- (generated|drawn|terminal): (.+) -->$", re.MULTILINE)


def catalogue() -> Iterator[str]:
    """Yields every schema of `typedstate.layers`."""
    from scripts.site.catalogue import catalogue as entries

    yield from entries()


def commands() -> Iterator[str]:
    """Yields what ``--help`` says of every command."""
    from typedstate.cli import parser

    os.environ["COLUMNS"] = "88"
    tree = parser()
    yield from _help(tree)
    for action in tree._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"## typedstate {name} {{ #{name} }}\n"
                yield from _help(command)


def _help(command: argparse.ArgumentParser) -> Iterator[str]:
    yield "```text"
    yield command.format_help().rstrip()
    yield "```\n"


def changelog() -> Iterator[str]:
    """Yields the changelog below its title."""
    yield (ROOT / "CHANGELOG.md").read_text().partition("\n")[2]


GENERATED: dict[str, Callable[[], Iterator[str]]] = {
    "catalogue": catalogue,
    "commands": commands,
    "changelog": changelog,
}


def _made(page: Path) -> dict[str, Any]:
    """The names that the blocks of a page make."""
    from tests.pages import blocks

    with tempfile.TemporaryDirectory() as folder:
        return vars(blocks.executed(page, Path(folder).resolve()).module)


def _drawn(value: Any) -> str:
    # In a tree of its own, where the styles of the site do not reach.
    inside = value._repr_html_()
    return f'<div class="drawn"><template shadowrootmode="open">{inside}</template></div>'


def _terminal(value: Any) -> str:
    from rich.console import Console
    from rich.terminal_theme import MONOKAI

    console = Console(record=True, file=io.StringIO(), width=100, color_system="truecolor")
    console.print(value)
    text = console.export_html(theme=MONOKAI, inline_styles=True, code_format="{code}").rstrip()
    return f'<pre class="terminal">{text}</pre>'.replace("\n", "&#10;")


def filled(markdown: str, page: Path | None = None) -> str:
    """A page with what it asks for."""
    made: dict[str, Any] = {}

    def replaced(match: re.Match[str]) -> str:
        if match[1] == "generated":
            return "\n".join(GENERATED[match[2]]())
        assert page is not None
        if not made:
            made.update(_made(page))
        value = eval(match[2], made)
        return _drawn(value) if match[1] == "drawn" else _terminal(value)

    return PLACE.sub(replaced, markdown)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills a page, when mkdocs reads it."""
    return filled(markdown, Path(page.file.abs_src_path))


def on_page_content(html: str, **_: Any) -> str:
    """A page without what a docstring says to other readers: a colon before a block is one."""
    return html.replace("::</p>", ":</p>")
