"""`printable`: a text of any origin as one line of a report, a picture or a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with line breaks, escape sequences and the like written as Python writes them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
