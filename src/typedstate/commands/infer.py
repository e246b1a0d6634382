"""`typedstate infer`: the schema of a model as Python, and whether a file still says it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import targets
from .output import give
from .progress import progress

DESCRIPTION = """Write the schema of a model, made by a function that is called abstractly (no
memory), or of a checkpoint. --vary names the sizes that a configuration changes.

  typedstate infer package.models:make_gpt --vary d=8,12 --vary layers=2,3 -o states.py
  typedstate infer package.models:make_gpt --vary d=8,12 --vary layers=2,3 --check states.py

--check also warns of fields with a schema of typedstate.layers that has lost its Bind.
"""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "infer",
        help="write the schema of a model or checkpoint",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="TARGET", help=targets.HELP)
    parser.add_argument(
        "--vary", metavar="NAME=A,B", action="append", default=[],
        help="an argument and two or more values of it; sizes that follow it get one name",
    )  # fmt: skip
    parser.add_argument(
        "--with", dest="arguments", metavar="NAME=VALUE", nargs="+", default=[],
        help="arguments of the function that makes the model",
    )  # fmt: skip
    parser.add_argument(
        "--fix", metavar="NAMES", nargs="?", const="", help="sizes as numbers: all, or these names"
    )
    parser.add_argument("--name", help="what the schema is called")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there")
    output.add_argument(
        "--check", type=Path, metavar="FILE",
        help="write nothing: exit with 1 and a diff where FILE says something else",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true",
        help="a schema document instead of Python; of --check, the answer as JSON",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Writes the source, or the diff."""
    from ..export.source import to_source

    hint = _inferred(options)
    if options.check is None:
        with progress(f"writing {options.target}"):
            text = _document(hint) if options.json else to_source(hint, name=options.name)
        give(text, options.output)
        return 0
    from ..inference.stale import stale
    from ..inference.unlinked import unlinked

    try:
        text = options.check.read_text(encoding="utf-8")
    except OSError as error:
        raise targets.UsageError(f"{options.check}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise targets.UsageError(f"{options.check}: no text in UTF-8") from None
    with progress(f"comparing {options.target} with {options.check}"):
        found = stale(text, hint, path=str(options.check), name=options.name)
        loose = unlinked(text, to_source(hint, name=options.name), path=str(options.check))
    if options.json:
        up_to_date = not found
        answer = {"file": str(options.check), "up_to_date": up_to_date, "diff": found}
        print(json.dumps({**answer, "unlinked": loose}, indent=2))
    else:
        for line in loose:
            print(f"warning: {line}", file=sys.stderr)
        print(found or f"{options.check} is up to date", end="" if found else "\n")
    return int(bool(found))


def _document(hint: Any) -> str:
    from ..export.document import SchemaDocument

    return SchemaDocument.of(hint).to_json()


def _inferred(options: argparse.Namespace) -> Any:
    from ..inference.infer import infer

    given = targets.arguments_of(options.arguments)
    fix: Any = options.fix is not None
    if options.fix:
        fix = set(options.fix.split(","))
    if not options.vary:
        target = targets.load(options.target, **given)
        example = (
            target.state() if hasattr(target, "leaves") and hasattr(target, "state") else target
        )
        with progress(f"reading {options.target}"):
            return infer(example, name=options.name, fix=fix)
    factory = targets.named(options.target)
    if not targets.is_factory(factory):
        raise targets.UsageError(
            f"{options.target} is no function: --vary wants one that it can call"
        )
    vary = {name: _values(name, text) for name, text in map(_pair, options.vary)}

    def make(**arguments: Any) -> Any:
        try:
            return targets.made(factory, {**given, **arguments})
        except Exception as error:
            raise targets.not_made(options.target, error) from None

    with progress(f"building {options.target}"):
        return infer(make, name=options.name, vary=vary, fix=fix)


def _pair(text: str) -> tuple[str, str]:
    name, equals, values = text.partition("=")
    if not equals or not name.isidentifier():
        raise targets.UsageError(f"--vary {text}: write NAME=A,B")
    return name, values


def _values(name: str, text: str) -> tuple[Any, ...]:
    from ..export.lines import split

    values = tuple(map(targets.literal, split(text, ",")))
    if len(values) < 2:
        raise targets.UsageError(f"--vary {name}={text}: give two or more values")
    return values
