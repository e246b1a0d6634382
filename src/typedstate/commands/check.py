"""`typedstate check`: does a model, a state or a checkpoint fit a schema."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import targets
from .output import save, write
from .progress import progress

DESCRIPTION = """Check a model, a state or a checkpoint against a schema. A function that makes a
model is called abstractly, so no memory is taken; of a checkpoint only metadata is read.

  typedstate check package.models:make_gpt package.states:GPTState --with d=64
  typedstate check runs/step_100 package.states:GPTState --dims layers=12
"""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="does a model, a state or a checkpoint fit a schema",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="TARGET", help=targets.HELP)
    parser.add_argument("schema", metavar="SCHEMA", help="package.module:Schema, or a document")
    parser.add_argument(
        "--with", dest="arguments", metavar="NAME=VALUE", nargs="+", default=[],
        help="arguments of the function that makes the model",
    )  # fmt: skip
    parser.add_argument(
        "--dims", metavar="NAME=SIZE", nargs="+", default=[], help="sizes of the schema's dims"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write the tree, wrong leaves marked"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the report; 0 where it fits, else 1."""
    from ..comparison.compare import judge
    from ..comparison.subject import subject_of
    from ..pictures.outline import of_value
    from ..pictures.picture import Picture

    hint = targets.schema(options.schema)
    dims = targets.arguments_of(options.dims)
    target = targets.load(options.target, **targets.arguments_of(options.arguments))
    subject = subject_of(target)
    if not subject.is_value:
        raise targets.UsageError(f"{options.target} is a schema: typedstate diff compares two")
    with progress(f"checking {options.target}"):
        report = judge(subject, subject_of(hint), dims)
    if options.html is not None:
        picture = Picture(subject.name.removeprefix("a "), of_value(subject.value), report)
        save(picture.to_html(), options.html)
    write(report.to_json(indent=2) if options.json else str(report))
    return 0 if report else 1
