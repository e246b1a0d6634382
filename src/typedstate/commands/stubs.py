"""`typedstate stubs`: writes the ``.pyi`` of modules that declare schemas."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from . import targets
from .progress import progress

DESCRIPTION = """Write the .pyi of modules beside them, with Literal overloads of their schemas'
keys, for checkers that have no plugin. The exit status is 0 where every module has its stub, 1
where one can't have it, or has another with --check, 2 for wrong usage.

  typedstate stubs package.states
  typedstate stubs package.states --check
"""


class Written(msgspec.Struct, frozen=True):
    """The result for the stub of one module.

    Attributes:
      module: the name of the module.
      path: the path of the stub; None if the module can't have one.
      state: ``refused`` comes with an `error`; ``missing`` and ``outdated`` come from ``--check``.
      error: the reason why there is no stub; None if there is one.
      unannotated: the functions without a return annotation, whose return type is unknown.
    """

    module: str
    path: str | None
    state: Literal["written", "unchanged", "missing", "outdated", "refused"]
    error: str | None = None
    unannotated: list[str] = []

    @property
    def holds(self) -> bool:
        """Whether the module has its stub now."""
        return self.state in ("written", "unchanged")


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "stubs",
        help="write the .pyi of modules that declare schemas",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("modules", nargs="+", metavar="MODULE", help="such as package.module")
    parser.add_argument("--check", action="store_true", help="write nothing; are they up to date?")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Writes the stubs; 1 where a module has none."""
    results: list[Written] = []
    for name in options.modules:
        with progress(f"reading {name}"):
            results.append(_write(name, check=options.check))
    if options.json:
        print(json.dumps(msgspec.to_builtins(results), indent=2))
    else:
        for result in results:
            _tell(result)
    return int(not all(result.holds for result in results))


def _write(name: str, *, check: bool) -> Written:
    """Writes the stub of one module, or compares it."""
    from ..export.pyi import HEADER, stub_of, unannotated

    try:
        module = targets.module(name)
        text = stub_of(module)
    except (targets.UsageError, ValueError, OSError) as error:
        return Written(name, None, "refused", str(error))
    path = Path(str(module.__file__)).with_suffix(".pyi")
    old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    if old is not None and not old.startswith(HEADER):
        reason = f"{path} was not written by typedstate stubs"
        return Written(name, str(path), "refused", reason)
    if check and old != text:
        return Written(name, str(path), "missing" if old is None else "outdated")
    if old != text:
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            return Written(name, str(path), "refused", f"{path}: {error.strerror}")
    state: Literal["written", "unchanged"] = "unchanged" if old == text else "written"
    return Written(name, str(path), state, unannotated=list(unannotated(module)))


def _tell(result: Written) -> None:
    """Says in words what became of a stub: what is wrong on stderr."""
    wrong = {
        "refused": result.error,
        "missing": f"{result.path} is missing",
        "outdated": f"{result.path} is not up to date",
    }.get(result.state)
    if wrong is not None:
        print(f"typedstate stubs: {wrong}", file=sys.stderr)
        return
    if result.state == "written":
        print(result.path)
    if result.unannotated:
        untyped = ", ".join(result.unannotated)
        print(f"without a return annotation, unknown in a stub: {untyped}")
