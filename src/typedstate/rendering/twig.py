"""`Twig`: what is drawn at one place of a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mark:
    """A fault at a place.

    Attributes:
      code: of the violation.
      expected: what the hint says.
      actual: what was found.
      note: the likely cause or fix.
    """

    code: str
    expected: str
    actual: str
    note: str = ""


@dataclass(slots=True)
class Twig:
    """One place of a tree.

    Attributes:
      key: as it is written.
      text: what stands there.
      bound: the links of its dims.
      more: what else is said of it.
      size: numbers and bytes, as people read them.
      placed: where its array is, as far as that is known.
      names: what the names of dims here stand for.
      inside: what the names stand for that are linked here, left of ``=``.
      marks: what is wrong here.
      below: what stands below.
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
    """The number of violations of each twig and below it, by identity; each is counted once."""
    found: dict[int, int] = {}

    def count(twig: Twig) -> int:
        found[id(twig)] = len(twig.marks) + sum(map(count, twig.below))
        return found[id(twig)]

    for twig in twigs:
        count(twig)
    return found


def planted(paths: Iterator[tuple[tuple[str, ...], Mark]]) -> list[Twig]:
    """The tree that has these marks at these paths, and nothing else."""
    root = Twig("")
    known: dict[tuple[str, ...], Twig] = {(): root}
    for path, mark in paths:
        for length in range(1, len(path) + 1):
            if path[:length] not in known:
                known[path[:length]] = Twig(path[length - 1])
                known[path[: length - 1]].below.append(known[path[:length]])
        known[path].marks.append(mark)
    return [Twig("the value", marks=root.marks, below=root.below)] if root.marks else root.below
