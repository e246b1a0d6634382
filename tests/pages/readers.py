"""What mypy and pyright say of the blocks that pages show them: one run of each for all pages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.pages.blocks import CHECKERS, Block, Shown, blocks, is_read_only

MYPY = "[mypy]\nplugins = typedstate.mypy_plugin\n"
HEAD = "from __future__ import annotations\n"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A block with what stands before it on its page.

    Attributes:
      page: its page.
      shown: what the page says that each checker prints.
      source: the text that they read.
      first: the first line of the block in it.
    """

    page: Path
    shown: tuple[Block, ...]
    source: str
    first: int


def snippets(pages: list[Path]) -> list[Snippet]:
    """What type checkers are asked."""
    found: list[Snippet] = []
    for page in pages:
        parts = blocks(page)
        before = HEAD
        files: list[str] = []
        for index, block in enumerate(parts):
            if block.language != "python":
                continue
            if not is_read_only(parts, index):
                before += _in_one_file(block.source, files)
                files.append(block.title.removesuffix(".py"))
                continue
            answers = tuple(one for one in parts[index + 1 : index + 3] if one.title in CHECKERS)
            found.append(Snippet(page, answers, before + block.source, before.count("\n") + 1))
    return found


def _in_one_file(source: str, files: list[str]) -> str:
    """A block without what it imports from files of its page, whose text stands before it."""
    names = "|".join(name for name in files if name)
    pattern = rf"^from ({names}) import (\w.*|\((.|\n)*?\))$"
    return re.sub(pattern, "", source, flags=re.MULTILINE) if names else source


def answers(found: list[Snippet], folder: Path) -> dict[Path, list[Shown]]:
    """What the checkers print, by page."""
    for index, snippet in enumerate(found):
        (folder / f"snippet_{index}.py").write_text(snippet.source)
    said = {"mypy": _mypy(folder, len(found)), "pyright": _pyright(folder)}
    result: dict[Path, list[Shown]] = {}
    for index, snippet in enumerate(found):
        for block in snippet.shown:
            lines = [
                text for line, text in said[block.title].get(index, []) if line >= snippet.first
            ]
            result.setdefault(snippet.page, []).append(Shown(block, "\n".join(lines)))
    return result


Said = dict[int, list[tuple[int, str]]]


def cache() -> Path:
    """Where mypy keeps what it has read with the options that pages ask for."""
    key = f"{sys.prefix} {sys.version} {importlib.metadata.version('mypy')}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"typedstate-mypy-{digest}-pages")


def _mypy(folder: Path, count: int) -> Said:
    (folder / "mypy.ini").write_text(MYPY)
    options = ["--hide-error-context", "--cache-dir", str(cache()), "--config-file", "mypy.ini"]
    files = [f"snippet_{index}.py" for index in range(count)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    said: Said = {}
    for index, line, text in re.findall(
        r"^snippet_(\d+)\.py:(\d+): (.*)$", done.stdout, re.MULTILINE
    ):
        said.setdefault(int(index), []).append((int(line), text))
    return said


def _pyright(folder: Path) -> Said:
    options = ["--outputjson", "--pythonpath", sys.executable, str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pyright", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    said: Said = {}
    for item in json.loads(done.stdout)["generalDiagnostics"]:
        index = int(Path(item["file"]).stem.partition("_")[2])
        rule = f" ({item['rule']})" if "rule" in item else ""
        text = f"{item['severity']}: {item['message']}{rule}".replace("\xa0", " ")
        said.setdefault(index, []).append((item["range"]["start"]["line"] + 1, text))
    return said
