"""Writes what is generated: the record's entry of the installed pair, and the page.

Run as `python -m scripts.leaves_page record`, then `python -m scripts.leaves_page page
docs/leaves.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.leaves_page.page import page
from typedstate.doctor.probe import probe
from typedstate.doctor.record import FILE, Record, dump, load

if TYPE_CHECKING:
    from collections.abc import Sequence


def write_record(path: Path) -> Record:
    """Probe the installed pair and put what was found into the record at this path."""
    record = load(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = probe()
    record[found.pair] = found
    path.write_text(dump(record), encoding="utf-8")
    return record


def write_page(path: Path) -> None:
    """Generate the page from the record."""
    path.write_text(page(load()), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the record's entry or the page."""
    options = argparse.ArgumentParser(prog="python -m scripts.leaves_page", description=__doc__)
    commands = options.add_subparsers(dest="command", required=True)
    commands.add_parser("record", help="record what the installed pair does")
    commands.add_parser("page", help="generate the page").add_argument("path", type=Path)
    chosen = options.parse_args(argv)
    if chosen.command == "record":
        write_record(Path(__file__).with_name(FILE))
    else:
        write_page(chosen.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
