"""`typedstate diff`: how two schemas, models or checkpoints differ."""

from __future__ import annotations

import argparse
from typing import Any

from . import targets
from .progress import progress

DESCRIPTION = """Say how B differs from A, and in which direction that breaks: forward where what
fits A no longer fits B (old checkpoints, a new schema), backward where what fits B does not fit A.

  typedstate diff old_states.json package.states:GPTState --breaking forward
  typedstate diff runs/step_100 package.states:GPTState
"""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff",
        help="how two schemas, models or checkpoints differ",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", metavar="A", help=targets.HELP)
    parser.add_argument("second", metavar="B", help="the same")
    parser.add_argument(
        "--breaking", choices=["forward", "backward"],
        help="exit with 1 only where that direction breaks or can't be told",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the difference as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the difference; 0 where there is none, or none that breaks, else 1."""
    from ..comparison.compare import diff

    first, second = targets.load(options.first), targets.load(options.second)
    with progress(f"comparing {options.first} with {options.second}"):
        found = diff(first, second)
    print(found.to_json(indent=2) if options.json else found)
    if options.breaking is None:
        return found.exit_status
    return int(getattr(found, options.breaking) is not True)
