"""The code blocks of the documentation: run in order, what each shows compared or written.

A page is one module, its Python blocks one after the other. What follows a block is what it
shows, by its title::

    ```python            runs; with a title such as `model.py` it is also written to that file
    ```text title="prints"   what the block above prints
    ```text title="raises"   the exception that it ends with
    ```text title="mypy"     what mypy, with the plugin, says of the lines of the block above: it is
    ```text title="pyright"  read by type checkers and not run
    ```console           commands after `$`, run where the page's files are, and what they print
    ```toml title="pyproject.toml"   a file

A ```` ```py ```` block is read by a test of its own. ``python -m tests.pages --write`` puts what is
really shown into the pages.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import re
import shlex
import subprocess
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CHECKERS = ("mypy", "pyright")
SHOWN = ("prints", "raises", *CHECKERS)
INFO = re.compile(r"(?P<language>[\w-]*)(?P<info>[^\n]*)\n")
INSTALL = re.compile(
    r"(python3 -m venv|\. \.venv/bin/|\.venv/bin/|pip install|uv |nox |python -m )"
)


def pages() -> list[Path]:
    """Every page with code that is written by hand."""
    made = {"leaves.md", "changelog.md"}
    found = [page for page in DOCS.rglob("*.md") if page.name not in made]
    return sorted([ROOT / "README.md", *found])


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
      language: the word after the fence.
      title: from the fence's ``title="..."``.
      source: its text.
      start: where its text begins on the page.
      line: the page's line of its first line.
    """

    language: str
    title: str
    source: str
    start: int
    line: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows, beside what is really so."""

    block: Block
    actual: str


@dataclass(slots=True)
class Page:
    """A page as it runs.

    Attributes:
      path: its file.
      folder: where its files are written, and its commands run.
      module: the namespace of its Python blocks.
      shown: what was compared so far.
      pending: what the last block gave, by the title under which it is shown.
    """

    path: Path
    folder: Path
    module: types.ModuleType
    shown: list[Shown] = field(default_factory=list[Shown])
    pending: dict[str, str] = field(default_factory=dict[str, str])


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []

    def parse(document: Document) -> Iterator[Region]:
        for region in RawFencedCodeBlockLexer(INFO)(document):
            yield Region(region.start, region.end, region.lexemes, lambda example: None)

    document = Sybil([parse], path=str(path.parent)).parse(path)
    for example in document.examples():
        found.append(_block(example, document.text))
    return found


def _block(example: Example, text: str) -> Block:
    lexemes = example.region.parsed
    source = lexemes["source"]
    title = re.search(r'title="([^"]*)"', lexemes["info"])
    start = example.region.start + source.offset
    line = text.count("\n", 0, start) + 1
    # The lexer counts from the fence's mark; the first line after it is where the text begins.
    return Block(lexemes["language"], title[1] if title else "", str(source), start, line)


def is_read_only(found: list[Block], index: int) -> bool:
    """Whether only type checkers read a Python block."""
    following = found[index + 1 : index + 2]
    return any(block.title in CHECKERS for block in following)


def run(path: Path, folder: Path) -> list[Shown]:
    """What a page shows, beside what is so; raises what a block raises that does not say so."""
    return executed(path, folder).shown


def executed(path: Path, folder: Path) -> Page:
    """Runs a page; raises what a block raises that does not say so."""
    name = f"page_{path.stem.replace('-', '_')}"
    page = Page(path, folder, types.ModuleType(name))
    sys.modules[name] = page.module
    sys.path.insert(0, str(folder))
    before = Path.cwd()
    os.chdir(folder)
    known = set(sys.modules)
    try:
        found = blocks(path)
        for index, block in enumerate(found):
            _run(page, found, index, block)
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        for module in set(sys.modules) - known:  # those that the page wrote
            if str(folder) in str(getattr(sys.modules[module], "__file__", "")):
                del sys.modules[module]
        del sys.modules[name]
    return page


def _run(page: Page, found: list[Block], index: int, block: Block) -> None:
    match block.language, block.title:
        case "python", title:
            if title.endswith(".py"):
                (page.folder / title).write_text(block.source)
            page.pending = {}
            if not is_read_only(found, index):
                raises = any(later.title == "raises" for later in found[index + 1 : index + 3])
                page.pending = _executed(page, block, raises=raises)
        case "text", "mypy" | "pyright":
            pass  # of all pages in one run
        case "text", "prints" | "raises":
            page.shown.append(Shown(block, page.pending.pop(block.title, "")))
        case "console", _:
            page.shown.append(Shown(block, _commands(page, block)))
        case (("toml" | "ini" | "yaml" | "json"), title) if title:
            (page.folder / title).parent.mkdir(parents=True, exist_ok=True)
            (page.folder / title).write_text(block.source)
        case "sh", _:  # what sets up a machine; the gate does so
            wrong = [line for line in block.source.splitlines() if not INSTALL.match(line)]
            assert not wrong, f"write it as console: {wrong}"
        case (("py" | "text" | "html" | "ini" | "yaml" | "toml"), _):
            pass
        case language, title:
            raise AssertionError(f"{page.path}:{block.line}: a block of {language!r} {title!r}")


def _executed(page: Page, block: Block, *, raises: bool) -> dict[str, str]:
    place = f"<{page.path.name}:{block.line}>"
    linecache.cache[place] = (len(block.source), None, block.source.splitlines(True), place)
    printed = io.StringIO()
    shown: dict[str, str] = {}
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            exec(compile(block.source, place, "exec"), vars(page.module))
        except Exception as error:
            if not raises:
                error.add_note(f"in {page.path}, the block at line {block.line}")
                raise
            shown["raises"] = "".join(traceback.format_exception_only(error)).rstrip("\n")
    shown["prints"] = printed.getvalue().rstrip("\n")
    return {title: _lasting(text, page.folder) for title, text in shown.items()}


def _commands(page: Page, block: Block) -> str:
    """A console block with what its commands really print."""
    lines: list[str] = []
    for command in re.findall(r"^\$ (.*)$", block.source, re.MULTILINE):
        lines += [f"$ {command}", *_command(page, command).splitlines()]
    return "\n".join(line.rstrip() for line in lines)


def _command(page: Page, command: str) -> str:
    from typedstate.cli import main

    program, *arguments = shlex.split(command)
    if program == "typedstate":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            main(arguments)
        return printed.getvalue()
    if program == "cat":
        return (page.folder / arguments[0]).read_text()
    assert program in ("python", "pytest"), f"{page.path}: {command}"
    # The folder of the page stands for a project's own.
    words = [sys.executable, *(["-m", "pytest"] if program == "pytest" else []), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(page.folder)}
    done = subprocess.run(
        words, cwd=page.folder, env=environment, capture_output=True, text=True, check=False
    )
    return _lasting(done.stdout + done.stderr, page.folder)


def _lasting(text: str, folder: Path) -> str:
    """What does not change from run to run."""
    text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    return re.sub(r" in \d+\.\d+s( \([\d:]+\))?", "", text)


def strip(text: str) -> str:
    """A text as it is compared: what stands at the end of its lines does not count."""
    return "\n".join(line.rstrip() for line in text.rstrip("\n").splitlines())


def written(path: Path, shown: list[Shown]) -> str:
    """The page with what is really shown."""
    text = path.read_text()
    for item in sorted(shown, key=lambda one: one.block.start, reverse=True):
        start = item.block.start
        end = start + len(item.block.source)
        assert text[start:end] == item.block.source, (path, item.block)
        text = text[:start] + strip(item.actual) + "\n" + text[end:]
    return text
