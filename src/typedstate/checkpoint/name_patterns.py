"""Patterns of names and paths: the hole ``{i}`` in ``layers.{i}.mlp`` stands for a number."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Final

from .stored import Path

_HOLE: Final = re.compile(r"\{(\w+)\}")
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\{\w+\}|'[^']*')\]")


def holes(text: str) -> tuple[str, ...]:
    """The names of the holes, each once."""
    return tuple(dict.fromkeys(_HOLE.findall(text)))


def source_pattern(text: str) -> re.Pattern[str]:
    """The regular expression of a pattern; each hole is a group that matches a number."""
    seen: set[str] = set()
    expression = ""
    at = 0
    for match in _HOLE.finditer(text):
        expression += re.escape(text[at : match.start()])
        name = match[1]
        expression += f"(?P={name})" if name in seen else rf"(?P<{name}>0|[1-9]\d{{0,8}})"
        seen.add(name)
        at = match.end()
    return re.compile(expression + re.escape(text[at:]))


def ignore_pattern(text: str) -> re.Pattern[str]:
    """The same, where ``*`` matches any run of characters."""
    parts = [re.escape(_HOLE.sub("\0", part)) for part in text.split("*")]
    return re.compile(
        ".*".join(part.replace("\0", r"\d+").replace(r"\\d", r"\d") for part in parts)
    )


def filled(text: str, numbers: Mapping[str, int]) -> str:
    """The pattern with numbers in the place of its holes."""
    return _HOLE.sub(lambda match: str(numbers[match[1]]), text)


def path_of(text: str) -> Path:
    """The keys of a path such as ``blocks[0].attn.kernel``.

    Raises:
      ValueError: the text is no path.
    """
    keys: list[Hashable] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f"{text!r} is no path: write blocks[0].attn.kernel")
        inside = match[2]
        if inside is None:
            keys.append(match[1])
        else:
            keys.append(int(inside) if inside.isdecimal() else inside.strip("'"))
        at = match.end()
    if not keys:
        raise ValueError("an empty path")
    return tuple(keys)
