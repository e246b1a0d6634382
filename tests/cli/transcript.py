"""What a person at a shell sees: commands with their whole output, kept as text.

A file of ``transcripts`` has commands as they are typed and what they say: lines of the standard
error begin with ``! ``, an exit status other than 0 stands in brackets. The commands of one file
run one after the other, in a folder with the user's own module and files.
``python -m tests.cli --write`` writes what they say now, to be read before it is committed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from typedstate.cli import main

FOLDER = Path(__file__).parent / "transcripts"
_OLDER = Path(__file__).parents[1] / "checkpoint" / "older" / "0.12.8"


@dataclass(frozen=True)
class Said:
    """One command and what it says.

    Attributes:
      command: as it is typed.
      output: its lines on the standard output.
      errors: its lines on the standard error.
      status: it exits with.
    """

    command: str
    output: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    status: int = 0

    def __str__(self) -> str:
        lines = [f"$ {self.command}", *self.output, *(f"! {line}".rstrip() for line in self.errors)]
        return "\n".join([*lines, f"[{self.status}]"] if self.status else lines)


def read(path: Path) -> Iterator[Said]:
    """Yields what a file of transcripts has."""
    for text in re.split(r"^\$ ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        command, *lines = text.rstrip("\n").split("\n")
        status = re.fullmatch(r"\[(\d)\]", lines[-1]) if lines else None
        lines = lines[:-1] if status else lines
        errors = tuple(line[2:] for line in lines if line == "!" or line.startswith("! "))
        output = tuple(line for line in lines if line != "!" and not line.startswith("! "))
        yield Said(command, output, errors, int(status[1]) if status else 0)


@contextlib.contextmanager
def shell(folder: Path) -> Iterator[None]:
    """A shell in a folder with the files of a user."""
    shutil.copy(Path(__file__).parent / "shop.py", folder / "shop.py")
    shutil.copytree(_OLDER / "orbax", folder / "run")
    shutil.copy(_OLDER / "model.msgpack", folder / "model.msgpack")
    (folder / "newer.json").write_text('{"format": "typedstate-schema", "version": 9}')
    (folder / "notes.txt").write_text("to do")
    (folder / "empty.safetensors").write_bytes(b"")
    wrong = (folder / "shop.py").read_text(encoding="utf-8").replace("din dout", "din +")
    (folder / "wrong.py").write_text(wrong, encoding="utf-8")
    (folder / "no_python.py").write_text("class (")
    (folder / "fails.py").write_text("raise RuntimeError('no licence')")
    _weights(folder / "model.safetensors")
    before, path = Path.cwd(), list(sys.path)
    names = {"COLUMNS": "100", "TERM": "dumb"}
    os.chdir(folder)
    try:
        with mock.patch.dict(os.environ, names):
            yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        for name in ("shop", "fails", "wrong"):
            sys.modules.pop(name, None)


def _weights(path: Path) -> None:
    from safetensors.numpy import save_file

    ones = np.ones((3, 2), np.float32)
    save_file({"up.weight": ones, "up.bias": ones[:, 0], "down.weight": ones.T.copy()}, path)


def run(command: str) -> Said:
    """What a command says now."""
    program, *arguments = shlex.split(command)
    assert program == "typedstate"
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        status = main(arguments)
    said = tuple(_lines(text.getvalue()) for text in (output, errors))
    return Said(command, said[0], said[1], status)


def _lines(text: str) -> tuple[str, ...]:
    """The lines, as the oldest Python writes what argparse says."""
    text = re.sub(r"-o, --output (\w+)", r"-o \1, --output \1", text)
    text = re.sub(
        r"\(choose from ([^)]+)\)",
        lambda found: f"(choose from {found[1].replace(chr(39), '')})",
        text,
    )
    text = text.replace(f"{Path.cwd()}/", "")
    return tuple(line.rstrip() for line in text.rstrip("\n").split("\n")) if text else ()
