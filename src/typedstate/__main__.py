"""The command line: ``typedstate doctor``, also as ``python -m typedstate doctor``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .requirement import require

_USAGE = "usage: typedstate doctor [--json | --all]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status is the process's."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["doctor"]:
        try:
            require()
        except ImportError as error:
            print(error, file=sys.stderr)
            return 2
        from .doctor.cli import main as doctor

        return doctor(given[1:])
    asked = given[:1] in (["-h"], ["--help"])
    print(_USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
