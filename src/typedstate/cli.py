"""The command line: one tree of commands, each a module with an `add_parser`.

``typedstate`` and ``python -m typedstate``. A command exits with 0 if its answer is yes, 1 if it is
no, 2 if it was called wrongly. With the extra ``[completion]`` shells complete it:
``eval "$(register-python-argcomplete typedstate)"``.
"""
# PYTHON_ARGCOMPLETE_OK

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from ._compat.requirement import require
from .commands import (
    check,
    diff,
    doctor,
    document,
    flax_stubs,
    infer,
    map as map_,
    show,
    stubs,
)
from .commands.targets import UsageError
from .errors import SchemaError

_COMMANDS = (infer, check, diff, show, map_, document, doctor, stubs, flax_stubs)


def parser() -> argparse.ArgumentParser:
    """The tree of commands."""
    options = argparse.ArgumentParser(
        prog="typedstate",
        description="Precise types for Flax NNX states.",
        epilog="Exit status: 0 it holds, 1 it does not, 2 wrong usage. 'typedstate COMMAND --help' "
        "says more.",
    )
    commands = options.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for command in _COMMANDS:
        command.add_parser(commands)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status is the process's."""
    tree = parser()
    with suppress(ImportError):
        import argcomplete

        argcomplete.autocomplete(tree)
    try:
        options = tree.parse_args(arguments)
    except SystemExit as asked:  # argparse has said why
        return int(asked.code or 0)
    try:
        require()
        return _piped(options)
    except ImportError as error:
        return _refused(str(error))
    except (SchemaError, UsageError) as error:
        return _refused(f"typedstate: {error}")


def _refused(text: str) -> int:
    print(text, file=sys.stderr)
    return 2


def _piped(options: argparse.Namespace) -> int:
    """Runs a command whose reader, e.g. ``head``, may go away."""
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # and nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status
