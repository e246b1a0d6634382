"""`typedstate map`: a proposal of how a checkpoint's weights are called in a schema."""

from __future__ import annotations

import argparse
import importlib
import json
from typing import Any

from . import targets

DESCRIPTION = """Propose the rules by which a checkpoint of other names fits a schema; a person
reads them before they are used.

  typedstate map model.safetensors package.states:GPTState --dims d=64
"""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "map",
        help="propose how a checkpoint's weights are called in a schema",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file or directory")
    parser.add_argument("schema", metavar="SCHEMA", help="package.module:Schema, or a document")
    parser.add_argument(
        "--dims", metavar="NAME=SIZE", nargs="+", default=[], help="sizes of the schema's dims"
    )
    parser.add_argument("--json", action="store_true", help="print the proposal as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the proposal; 1 where something is left without a place."""
    hint = targets.schema(options.schema)
    dims = targets.arguments_of(options.dims)
    checkpoint: Any = importlib.import_module("typedstate.checkpoint")
    try:
        with targets.progress(f"reading {options.checkpoint}"):
            found = checkpoint.propose(options.checkpoint, hint, dims=dims)
    except (OSError, ImportError, ValueError) as error:
        raise targets.UsageError(f"{options.checkpoint}: {error}") from None
    print(json.dumps(found.to_dict(), indent=2) if options.json else found)
    return int(bool(found.unplaced or found.unfilled))
