"""`typedstate document`: a schema as a document, or the JSON Schema of all documents."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from . import targets
from .output import give
from .progress import progress

DESCRIPTION = """Write a schema as JSON that any program can read, and SchemaDocument back.

  typedstate document package.states:GPTState -o states.json
  typedstate document --json-schema
"""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "document",
        help="a schema as JSON",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("schema", metavar="SCHEMA", nargs="?", help="package.module:Schema")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there")
    parser.add_argument(
        "--json-schema", action="store_true", help="the JSON Schema that documents follow"
    )
    parser.add_argument("--json", action="store_true", help="as always: a document is JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Writes the document."""
    from ..export.document import SchemaDocument

    if options.json_schema is (options.schema is not None):
        raise targets.UsageError("give a SCHEMA or --json-schema")
    if options.json_schema:
        text = json.dumps(SchemaDocument.model_json_schema(), indent=2) + "\n"
    else:
        hint = targets.schema(options.schema)
        with progress(f"writing {options.schema}"):
            text = SchemaDocument.of(hint).to_json()
    give(text, options.output)
    return 0
