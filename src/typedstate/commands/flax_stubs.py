"""`typedstate flax-stubs`: switches the stubs for `flax.nnx` off and on, for every type checker.

Type checkers find stubs by the name of a folder beside the packages; under another name they see
Flax's own annotations again. What installed the package keeps knowing its files.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final

DESCRIPTION = """Switch the stubs for flax.nnx, which come with typedstate, off and on again in this
environment: every type checker then reads Flax's own annotations. Without an argument: say which it
is. The exit status is 0 where it is done, 1 where there are no installed stubs to switch, 2 for
wrong usage.

  typedstate flax-stubs
  typedstate flax-stubs off
"""

FOLDERS: Final = {"on": "flax-stubs", "off": "flax-stubs.off"}


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "flax-stubs",
        help="switch the stubs for flax.nnx off and on",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("state", nargs="?", choices=[*FOLDERS], help="what they should be")
    parser.add_argument("--json", action="store_true", help="print what they are now as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Renames the folder of the stubs; 1 where there is none that was installed."""
    found = _found()
    if found is None:
        return _refused("there is no flax-stubs on the import path")
    state, folder = found
    if options.state in (None, state):
        return _said(state, folder, as_json=options.json)
    record = _record(folder)
    if record is None:
        return _refused(f"{folder} was not installed from a wheel: it is part of a source tree")
    there = folder.with_name(FOLDERS[options.state])
    try:
        folder.rename(there)
        _write(record, folder.name, there.name)
    except OSError as error:
        return _refused(str(error))
    return _said(options.state, there, as_json=options.json)


def _said(state: str, folder: Path, *, as_json: bool) -> int:
    answer = json.dumps({"state": state, "folder": str(folder)}, indent=2)
    print(answer if as_json else f"{state}: {folder}")
    return 0


def _refused(why: str) -> int:
    print(f"typedstate flax-stubs: {why}", file=sys.stderr)
    return 1


def _found() -> tuple[str, Path] | None:
    """The stubs that a type checker would find here, or those that are switched off."""
    for state, name in FOLDERS.items():
        for entry in sys.path:
            folder = Path(entry or ".", name)
            if (folder / "py.typed").is_file():
                return state, folder
    return None


def _record(folder: Path) -> Path | None:
    """The list of the files of the installed package that the stubs belong to."""
    marker = (folder / "py.typed").resolve()
    for one in distributions(name="typedstate"):
        files = one.files or []
        if any(str(file.name) == "py.typed" and _place(one, file) == marker for file in files):
            return next((Path(_place(one, file)) for file in files if file.name == "RECORD"), None)
    return None


def _place(one: Distribution, file: Any) -> Path:
    return Path(str(one.locate_file(file))).resolve()


def _write(record: Path, before: str, after: str) -> None:
    """Writes the new names of the files into the package's record, for its uninstaller."""
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = [
        f"{after}/{line.removeprefix(f'{before}/')}" if line.startswith(f"{before}/") else line
        for line in lines
    ]
    record.write_text("".join(changed), encoding="utf-8")
