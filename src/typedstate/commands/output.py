"""Output of commands: plain text, in colours if a person reads it and `rich` is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

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
