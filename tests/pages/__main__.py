"""``python -m tests.pages [--write] [PAGE ...]``: runs pages; with --write they show what is so."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from tests import environment
from tests.pages import blocks, readers

environment.settle()
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--types", action="store_true", help="ask the type checkers too")
    parser.add_argument("pages", nargs="*", type=Path)
    options = parser.parse_args()
    chosen = [page.resolve() for page in options.pages] or blocks.pages()
    typed = {}
    if options.types:
        with tempfile.TemporaryDirectory() as folder:
            found = readers.snippets(chosen)
            typed = readers.answers(found, Path(folder).resolve()) if found else {}
    for page in chosen:
        with tempfile.TemporaryDirectory() as folder:
            shown = [*blocks.run(page, Path(folder).resolve()), *typed.get(page, [])]
        wrong = [one for one in shown if blocks.strip(one.actual) != blocks.strip(one.block.source)]
        print(f"{page.relative_to(blocks.ROOT)}: {len(shown)} shown, {len(wrong)} differ")
        if options.write and wrong:
            page.write_text(blocks.written(page, wrong))


if __name__ == "__main__":
    main()
