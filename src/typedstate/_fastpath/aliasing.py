"""Aliasing within a live module: guarded code asks whether the same objects are shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .size_code import ShapeSource


class AliasPattern:
    """Recognises which objects of a live module are shared, by their ids in the order of the walk.

    Attributes:
      ids: the ids of objects that were once alive together. A module with the same ids has the
        same aliases, so that no set of its objects has to be made.
    """

    __slots__ = ("_pattern", "_walk", "ids")

    def __init__(self) -> None:
        """Knows nothing before the code is there."""
        self.ids: list[int] = []
        self._pattern: list[int] | None = None
        self._walk: Callable[..., bool] = lambda *_: False

    def learn(self, walk: Callable[..., bool], module: Any, *shapes: ShapeSource) -> None:
        """Takes the pattern from the module that was accepted; `walk` shows each id."""
        self._walk = walk
        walk(module, self.ids.append, *shapes)
        if len(set(self.ids)) != len(self.ids):
            self._pattern = _occurrences(self.ids)

    def again(self, module: Any, *shapes: ShapeSource) -> bool:
        """Whether a module with other objects is like the accepted one."""
        ids: list[int] = []
        if not self._walk(module, ids.append, *shapes):
            return False
        if self._pattern is None:
            same = len(set(ids)) == len(ids)
        else:
            same = _occurrences(ids) == self._pattern
        if same:
            self.ids = ids
        return same


def _occurrences(objects: list[int]) -> list[int]:
    """For each object the position at which it came first: equal where equal ones are shared."""
    first: dict[int, int] = {}
    return [first.setdefault(number, index) for index, number in enumerate(objects)]
