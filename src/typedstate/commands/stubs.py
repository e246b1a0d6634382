"""`typedstate stubs`: writes the ``.pyi`` of modules that declare schemas."""

from __future__ import annotations

import argparse
from typing import Any

DESCRIPTION = """Write the .pyi of modules beside them, with Literal overloads of their schemas'
keys, for checkers that have no plugin. The exit status is 0 where every module has its stub, 1
where one can't have it, or has another with --check, 2 for wrong usage."""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "stubs", help="write the .pyi of modules that declare schemas", description=DESCRIPTION
    )
    parser.add_argument("modules", nargs="+", metavar="MODULE", help="such as package.module")
    parser.add_argument("--check", action="store_true", help="write nothing; are they up to date?")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Writes the stubs."""
    from ..export.cli import main

    return main([*options.modules, *["--check"] * options.check])
