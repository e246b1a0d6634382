"""`Change` and `Difference`: the result of `diff`, as data and as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from ..rendering.printable import printable

ChangeKind = Literal[
    "added",
    "removed",
    "moved",
    "presence",
    "kind",
    "container",
    "dtype",
    "shape",
    "sharding",
    "validator",
    "other",
]
CHANGE_KINDS: Final[tuple[ChangeKind, ...]] = get_args(ChangeKind)
_SIGNS: Final = {"added": "+", "removed": "-", "moved": ">"}
_WIDTH: Final = 240


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two schemas or values.

    Attributes:
      path: the path as text, e.g. ``blocks[*].up.kernel``; the old one of a moved leaf.
      kind: one of `CHANGE_KINDS`.
      before: the declaration or value in the first; empty if the path is only in the second.
      after: the declaration or value in the second; the new path of a moved leaf.
      forward: whether this change lets every value of the first fit the second; None if that
        can't be told.
      backward: whether this change lets every value of the second fit the first; None if that
        can't be told.
      note: the likely cause; empty if none is recognised.
      keys: the path as a tuple of keys.
    """

    path: str
    kind: ChangeKind
    before: str
    after: str
    forward: bool | None = True
    backward: bool | None = True
    note: str = ""
    keys: tuple[Hashable, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        """One line: a sign, the path, before and after, and the direction that breaks."""
        where = self.path or "the whole"
        match self.kind:
            case "added":
                text = f"{where}: {self.after}"
            case "removed":
                text = f"{where}: {self.before}"
            case "moved":
                text = f"{where} is now {self.after}"
            case _:
                text = f"{where}: {self.kind} was {self.before}, is {self.after}"
        text = f"{_SIGNS.get(self.kind, '~')} {text}"
        text = f"{text} ({self.note})" if self.note else text
        text = printable(text)
        text = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
        return f"{text} [{_direction(self.forward, self.backward)}]"

    def to_dict(self) -> dict[str, Any]:
        """The change as JSON data."""
        data: dict[str, Any] = {
            "path": self.path,
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
            "forward": self.forward,
            "backward": self.backward,
        }
        return {**data, "note": self.note} if self.note else data


def _direction(forward: bool | None, backward: bool | None) -> str:
    broken = [
        name for name, answer in (("forward", forward), ("backward", backward)) if answer is False
    ]
    if broken:
        return f"breaks {' and '.join(broken)}"
    return "compatible" if forward and backward else "may break"


@dataclass(frozen=True, slots=True)
class Difference:
    """The differences of two schemas or values; truthy if there are any.

    Attributes:
      first: the name of the first argument.
      second: the name of the second argument.
      changes: all differences, in tree order.
      forward: whether everything that fits the first fits the second, e.g. old checkpoints a
        new schema; None if that can't be told.
      backward: whether everything that fits the second fits the first; None if that can't be
        told.
      cause: the likely cause of all differences, in one line; empty if none is recognised.
      unknown: facts that can't be known, such as the kinds of a checkpoint's Variables, one
        sentence each.
    """

    first: str
    second: str
    changes: tuple[Change, ...] = ()
    forward: bool | None = True
    backward: bool | None = True
    cause: str = ""
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes)

    @property
    def exit_status(self) -> int:
        """The exit status of a command: 0 if nothing differs, else 1."""
        return int(bool(self.changes))

    @property
    def verdict(self) -> str:
        """The directions in which the two are compatible, as a sentence."""
        if not self.changes:
            return "the same"
        return f"{_says(self.forward)} forward, {_says(self.backward)} backward"

    def __str__(self) -> str:
        """The difference as text: a headline, then a line for each change."""
        head = f"{self.first} -> {self.second}: {self.verdict}"
        if self.changes:
            counts = Counter(change.kind for change in self.changes)
            shown = ", ".join(f"{counts[kind]} {kind}" for kind in CHANGE_KINDS if counts[kind])
            head = f"{head}; {shown}"
        lines = [f"cause: {self.cause}"] if self.cause else []
        lines += [*map(str, self.changes), *(f"unknown: {text}" for text in self.unknown)]
        return "\n".join(map(printable, [head, *(f"  {line}" for line in lines)]))

    def to_dict(self) -> dict[str, Any]:
        """The difference as JSON data."""
        said = {"cause": self.cause, "unknown": list(self.unknown)}
        return {
            "first": self.first,
            "second": self.second,
            "differs": bool(self),
            "forward": self.forward,
            "backward": self.backward,
            **{name: text for name, text in said.items() if text},
            "changes": [change.to_dict() for change in self.changes],
        }

    def to_json(self, indent: int | None = None) -> str:
        """The difference as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)


def _says(answer: bool | None) -> str:
    return "undecided" if answer is None else "compatible" if answer else "breaking"
