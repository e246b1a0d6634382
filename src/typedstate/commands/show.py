"""`typedstate show`: the tree of a model, a checkpoint or a schema."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import targets
from .output import save, write
from .progress import progress

DESCRIPTION = """Draw a tree: kinds, shapes, axis names, numbers and bytes of a model or checkpoint;
kinds and dims of a schema. No weight is read.

  typedstate show package.models:make_gpt --depth 2
  typedstate show runs/step_100 --filter '*.kernel'
  typedstate show package.states:GPTState --filter BatchStat
"""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show",
        help="the tree of a model, a checkpoint or a schema",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="TARGET", help=targets.HELP)
    parser.add_argument("--depth", type=_depth, metavar="N", help="so many levels; all without")
    parser.add_argument(
        "--filter", metavar="PATTERN", help="only leaves of this kind, or at paths like blocks*"
    )
    parser.add_argument(
        "--with", dest="arguments", metavar="NAME=VALUE", nargs="+", default=[],
        help="arguments of the function that makes the model",
    )  # fmt: skip
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page that folds, in one file"
    )
    parser.add_argument("--json", action="store_true", help="print the tree as JSON")
    parser.set_defaults(run=run)


def _depth(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no natural number")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Prints the tree; 1 where a filter leaves nothing of it."""
    from ..pictures.picture import show

    target = targets.load(options.target, **targets.arguments_of(options.arguments))
    with progress(f"drawing {options.target}"):
        picture = show(target)
    if options.filter is not None:
        left = picture.tree.kept(options.filter)
        if left is None:
            unknown = f"; {picture.unknown}" if picture.unknown else ""
            print(f"no leaf is like {options.filter!r}{unknown}")
            return 1
        picture = replace(picture, tree=left)
    if options.html is not None:
        save(picture.to_html(), options.html)
        return 0
    if options.json:
        said = {"unknown": picture.unknown} if picture.unknown else {}
        print(json.dumps({**picture.tree.to_dict(), **said}, indent=2))
        return 0
    write(picture.text(options.depth), lambda: picture.colored(options.depth))
    return 0
