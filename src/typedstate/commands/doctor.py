"""`typedstate doctor`: what leaves are on the installed Flax and JAX."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .progress import progress

DESCRIPTION = """Probe the installed Flax and JAX: what the leaves of a state are, everywhere.
The exit status is 0 where all is as recorded, 1 where it differs or the stubs lack what this Flax
takes by name or requires, 2 for wrong usage and where Flax or JAX is older than the oldest
supported one.

  typedstate doctor
  typedstate doctor --json > leaves.json
"""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="what leaves are on the installed Flax and JAX",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the whole report as JSON")
    output.add_argument("--all", action="store_true", help="print every construct in every context")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the report; 1 where something is not as recorded."""
    from ..doctor import doctor
    from ..doctor.render import text

    with progress("probing Flax and JAX"):
        result = doctor()
    if options.json:
        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    else:
        print(text(result, every_cell=options.all))
    return result.exit_status
