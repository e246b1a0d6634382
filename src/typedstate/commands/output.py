"""Output of commands: plain text, in colours if a person reads it and `rich` is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .targets import UsageError

if TYPE_CHECKING:
    from rich.text import Text


def write(text: str, colored: Callable[[], Text] | None = None) -> None:
    """Prints a report or a tree; `colored` is the same in colours, where it knows them better."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        print(text)
        return
    try:
        from rich.console import Console
    except ImportError:
        print(text)
        return
    from ..rendering.terminal import styled

    Console(soft_wrap=True).print(styled(text) if colored is None else colored())


def give(text: str, output: Path | None) -> None:
    """Writes source or a document to a file, whose name is printed, or prints it."""
    if output is None:
        sys.stdout.write(text)
        return
    save(text, output)
    print(output)


def save(text: str, path: Path) -> None:
    """Writes a file.

    Raises:
      UsageError: it can't be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
