"""The options of `infer` about sizes: those that the caller varied, those that are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """The options about sizes.

    Attributes:
      examples: the number of examples.
      vary: by the name of a varied size, its value in each example.
      fix: names at the top whose sizes are written as numbers; None for all.
    """

    examples: int = 1
    vary: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    fix: frozenset[str] | None = frozenset()

    @property
    def fixes_all(self) -> bool:
        """Whether every size is written as a number."""
        return self.fix is None

    @property
    def counts(self) -> bool:
        """Whether sizes that do not vary are written as numbers."""
        return self.examples > 1 or self.fixes_all

    def expression(self, sizes: Mapping[int, int]) -> str | None:
        """A size as an expression over the varied ones; None if it does not depend on them.

        Args:
          sizes: the size in each example, by the example's index; all must be there.
        """
        if not self.vary or len(sizes) < self.examples:
            return None
        wanted = tuple(sizes[number] for number in range(self.examples))
        moved = {name: values for name, values in self.vary.items() if self._moves(name, wanted)}
        for name, values in moved.items():
            if values == wanted:
                return name
        for name, values in moved.items():
            if len(moved) == 1 and (found := _multiple(name, values, wanted)):
                return found
        if len(moved) == 2:
            (one, first), (two, second) = moved.items()
            return _product(one, first, two, second, wanted)
        return None

    def _moves(self, name: str, sizes: tuple[int, ...]) -> bool:
        """Whether a size changes in an example in which only the size of this name was varied."""
        values = self.vary[name]
        others = [found for other, found in self.vary.items() if other != name]
        for number in range(1, len(sizes)):
            alone = all(found[number] == found[0] for found in others)
            if alone and values[number] != values[0] and sizes[number] != sizes[0]:
                return True
        return False


def _multiple(name: str, values: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
    pairs = list(zip(values, wanted, strict=True))
    if all(value and size % value == 0 for value, size in pairs):
        factors = {size // value for value, size in pairs}
        if len(factors) == 1:
            return f"{factors.pop()}*{name}"
    if all(size and value % size == 0 for value, size in pairs):
        divisors = {value // size for value, size in pairs}
        if len(divisors) == 1:
            return f"{name}//{divisors.pop()}"
    offsets = {size - value for value, size in pairs}
    if len(offsets) == 1:
        offset = offsets.pop()
        return f"{name}+{offset}" if offset > 0 else f"{name}-{-offset}"
    return None


def _product(
    one: str, first: tuple[int, ...], two: str, second: tuple[int, ...], wanted: tuple[int, ...]
) -> str | None:
    triples = list(zip(first, second, wanted, strict=True))
    if all(a * b and size % (a * b) == 0 for a, b, size in triples):
        factors = {size // (a * b) for a, b, size in triples}
        if len(factors) == 1:
            factor = factors.pop()
            return f"{one}*{two}" if factor == 1 else f"{factor}*{one}*{two}"
    for a_name, b_name, pairs in (
        (one, two, [(a, b, size) for a, b, size in triples]),
        (two, one, [(b, a, size) for a, b, size in triples]),
    ):
        if all(b and a % b == 0 and a // b == size for a, b, size in pairs):
            return f"{a_name}//{b_name}"
    return None
