"""The command line: ``typedstate doctor`` and its like, also as ``python -m typedstate doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from ._compat.requirement import require

_USAGE = """usage: typedstate doctor [--json | --all]
       typedstate stubs [--check] MODULE..."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status is the process's."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["doctor"], ["stubs"]):
        try:
            require()
        except ImportError as error:
            print(error, file=sys.stderr)
            return 2
        if given[0] == "doctor":
            from .doctor.cli import main as command
        else:
            from .export.cli import main as command

        return _piped(command, given[1:])
    asked = given[:1] in (["-h"], ["--help"])
    print(_USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def _piped(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Runs a command whose reader, e.g. ``head``, may go away."""
    try:
        status = command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # and nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
