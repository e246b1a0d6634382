"""`typedstate map`: a proposal of how a checkpoint's weights are called in a schema."""

from __future__ import annotations

import argparse
import importlib
import json
from typing import Any

from ..errors import SchemaError
from . import targets
from .progress import progress

DESCRIPTION = """Propose the rules by which a checkpoint of other names fits a schema; a person
reads them before they are used. Only headers are read. What the schema leaves open is said
by --dims and --choose, or read off a model by --like.

  typedstate map model.safetensors package.states:GPTState --dims d=64 --choose '*.bias=False'
  typedstate map model.safetensors package.states:GPTState --like package.models:make_gpt
"""

_SETTLED = (
    "say sizes by --dims NAME=SIZE, choices by --choose PATH=VALUE, or give a model by --like"
)


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
    parser.add_argument(
        "--choose", metavar="PATH=VALUE", nargs="+", default=[],
        help="what is open at a path: False for a leaf that is not there, how many entries or "
        "which keys; '*.bias' is a name at any depth",
    )  # fmt: skip
    parser.add_argument(
        "--like", metavar="MODEL", help="package.module:function of a model that settles all that"
    )
    parser.add_argument("--json", action="store_true", help="print the proposal as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the proposal; 1 where something is left without a place."""
    hint = targets.schema(options.schema)
    dims = targets.arguments_of(options.dims)
    choices = targets.choices_of(options.choose)
    like = None if options.like is None else _model(options.like)
    checkpoint: Any = importlib.import_module("typedstate.checkpoint")
    try:
        with progress(f"reading {options.checkpoint}"):
            found = checkpoint.propose(
                options.checkpoint, hint, dims=dims, choices=choices, like=like
            )
    except SchemaError as error:
        raise targets.UsageError(f"{error}\n{_SETTLED}") from None
    except (ImportError, ValueError) as error:
        raise targets.UsageError(str(error)) from None
    print(json.dumps(found.to_dict(), indent=2) if options.json else found)
    return int(bool(found.unplaced or found.unfilled))


def _model(text: str) -> Any:
    from ..comparison.subject import subject_of

    found = subject_of(targets.load(text))
    if not found.is_value:
        raise targets.UsageError(f"--like {text}: a schema, where a model was expected")
    return found.value
