"""`Twig`: one line of a drawn tree, with the lines below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mark:
    """A violation to mark in a drawn tree.

    Attributes:
      code: the code of the violation.
      expected: the declaration.
      actual: the value that was found.
      note: the likely cause or fix; may be empty.
    """

    code: str
    expected: str
    actual: str
    note: str = ""


@dataclass(slots=True)
class Twig:
    """One line of a drawn tree.

    Attributes:
      key: the last key of its path, as text.
      text: the kind, dtype and shape, or the schema.
      bound: the links of a `Bind`, e.g. ``din=d``.
      more: further text, behind the links.
      size: the count of numbers and bytes, as text.
      placed: the sharding or placement of its array, as text; empty if unknown.
      names: the dims of the names in `text`, and right of ``=`` in `bound`.
      inside: the dims of the names left of ``=`` in `bound`.
      marks: the violations at this path.
      below: the lines one level deeper.
    """

    key: str
    text: str = ""
    bound: str = ""
    more: str = ""
    size: str = ""
    placed: str = ""
    names: dict[str, str] = field(default_factory=dict[str, str])
    inside: dict[str, str] = field(default_factory=dict[str, str])
    marks: list[Mark] = field(default_factory=list[Mark])
    below: list[Twig] = field(default_factory=list["Twig"])

    def wrong(self) -> int:
        """The number of violations here and below."""
        return len(self.marks) + sum(twig.wrong() for twig in self.below)


def counted(twigs: list[Twig]) -> dict[int, int]:
    """The number of violations at and below each twig, by the ``id`` of the twig."""
    found: dict[int, int] = {}

    def count(twig: Twig) -> int:
        found[id(twig)] = len(twig.marks) + sum(map(count, twig.below))
        return found[id(twig)]

    for twig in twigs:
        count(twig)
    return found


def planted(paths: Iterator[tuple[tuple[str, ...], Mark]]) -> list[Twig]:
    """A tree of only these marks at their paths."""
    root = Twig("")
    known: dict[tuple[str, ...], Twig] = {(): root}
    for path, mark in paths:
        for length in range(1, len(path) + 1):
            if path[:length] not in known:
                known[path[:length]] = Twig(path[length - 1])
                known[path[: length - 1]].below.append(known[path[:length]])
        known[path].marks.append(mark)
    return [Twig("the value", marks=root.marks, below=root.below)] if root.marks else root.below
