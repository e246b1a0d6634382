"""Finds under which name others import the program that runs, which itself is ``__main__``."""

from __future__ import annotations

import keyword
import sys
from pathlib import Path
from typing import Final

_MAIN: Final = frozenset({"__main__", "__mp_main__"})


def is_of_main(cls: type) -> bool:
    """Whether a class is defined in the program that runs, a script or a session."""
    return cls.__module__ in _MAIN


def name_of_main() -> str | None:
    """The name under which others import the program; None for a session, which has none.

    It is the name that ``python -m`` was given, or else that of the script's file.
    """
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    stem = Path(file).stem if isinstance(file, str) else ""
    return stem if stem.isidentifier() and not keyword.iskeyword(stem) else None
