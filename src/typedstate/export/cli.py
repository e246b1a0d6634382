"""`typedstate stubs`: writes the ``.pyi`` of modules that declare schemas."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from typedstate.export.pyi import HEADER, stub_of, unannotated

DESCRIPTION = """Write the .pyi of modules beside them, with Literal overloads of their schemas'
keys, for checkers that have no plugin. The exit status is 0 where every module has its stub, 1
where one can't have it, or has another with --check, 2 for wrong usage."""


def parser() -> argparse.ArgumentParser:
    """The subcommand's options."""
    options = argparse.ArgumentParser(prog="typedstate stubs", description=DESCRIPTION)
    options.add_argument("modules", nargs="+", metavar="MODULE", help="such as package.module")
    options.add_argument("--check", action="store_true", help="write nothing; are they up to date?")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Write the stubs and return the exit status."""
    options = parser().parse_args(argv)
    sys.path.insert(0, "")
    results = [_write(name, check=options.check) for name in options.modules]
    return int(not all(results))


def _write(name: str, *, check: bool) -> bool:
    try:
        module = importlib.import_module(name)
        text = stub_of(module)
    except (ImportError, ValueError) as error:
        print(f"typedstate stubs: {error}", file=sys.stderr)
        return False
    path = Path(str(module.__file__)).with_suffix(".pyi")
    old = path.read_text(encoding="utf-8") if path.exists() else None
    if old is not None and not old.startswith(HEADER):
        print(f"typedstate stubs: {path} was not written by typedstate stubs", file=sys.stderr)
        return False
    if check and old != text:
        state = "is missing" if old is None else "is not up to date"
        print(f"typedstate stubs: {path} {state}", file=sys.stderr)
        return False
    if old != text:
        path.write_text(text, encoding="utf-8")
        print(path)
    untyped = unannotated(module)
    if untyped:
        print(f"without a return annotation, unknown in a stub: {', '.join(untyped)}")
    return True
