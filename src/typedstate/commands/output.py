"""What commands print: plain text, in colours where a person reads it and `rich` is installed."""

from __future__ import annotations

import os
import sys


def write(text: str) -> None:
    """Prints a report or a tree."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        print(text)
        return
    try:
        from rich.console import Console
    except ImportError:
        print(text)
        return
    from ..rendering.terminal import styled

    Console(soft_wrap=True).print(styled(text))
