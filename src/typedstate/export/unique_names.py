"""`UniqueNames`: gives each name once, and numbers those that are taken."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class UniqueNames(msgspec.Struct):
    """The names of one scope.

    Attributes:
      taken: the names that are there.
    """

    taken: set[str] = msgspec.field(default_factory=set[str])
    _last: dict[str, int] = msgspec.field(default_factory=dict[str, int])

    def give(
        self, name: str, joint: str = "", allowed: Callable[[str], bool] = lambda name: True
    ) -> str:
        """The name, or the first numbered one that is free: ``name2`` without a joint.

        Args:
          name: the wanted name.
          joint: the text between the name and its number.
          allowed: whether a name may be given at all.
        """
        found, number = name, self._last.get(name, 1)
        while found in self.taken or not allowed(found):
            number += 1
            found = f"{name}{joint}{number}"
        self._last[name] = number
        self.taken.add(found)
        return found

    def take_back(self, name: str, wanted: str) -> None:
        """Frees the name that was given last for a wanted one."""
        self.taken.discard(name)
        self._last[wanted] -= 1
