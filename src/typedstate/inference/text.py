"""Turns keys into text for names of dims and classes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Hashable

from ..report import show_key


def key_text(key: Hashable) -> str:
    """A key as text for names."""
    return key if isinstance(key, str) else show_key(key)


def singular(title: str) -> str:
    """The singular of a list's key, for the class of its entries: ``layers`` gives ``layer``."""
    if title.endswith("ies"):
        return f"{title[:-3]}y"
    return title[:-1] if title.endswith("s") and not title.endswith("ss") else title


def word(text: str) -> str:
    """Makes the name of a dim of any text."""
    base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    base = re.sub(r"\W+", "_", base, flags=re.ASCII).strip("_").lower()
    base = base if base and not base[0].isdigit() else f"n{base}"
    return f"{base}_size" if keyword.iskeyword(base) else base
