"""`typedstate doctor`: what leaves are on the installed pair, and whether that is as recorded."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from typedstate.doctor import doctor
from typedstate.doctor.render import text

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """Probe the installed Flax and JAX: what the leaves of a state are, everywhere.
The exit status is 0 where all is as recorded, 1 where it differs, 2 for wrong usage and where
Flax or JAX is older than the oldest supported one."""


def parser() -> argparse.ArgumentParser:
    """The subcommand's options."""
    options = argparse.ArgumentParser(prog="typedstate doctor", description=DESCRIPTION)
    output = options.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the whole report as JSON")
    output.add_argument("--all", action="store_true", help="print every construct in every context")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report and return the exit status."""
    options = parser().parse_args(argv)
    result = doctor()
    if options.json:
        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    else:
        print(text(result, every_cell=options.all))
    return result.exit_status


if __name__ == "__main__":
    sys.exit(main())
