"""`Progress`: what a caller gives to be told how far reading is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

#: Called with the number of parts that were read, and of all parts.
Progress = Callable[[int, int], None]
T = TypeVar("T")


def counted(parts: Iterable[T], count: int, progress: Progress | None) -> Iterator[T]:
    """Yields parts that are read one by one; tells `progress` before each, and after the last."""
    for done, part in enumerate(parts):
        if progress is not None:
            progress(done, count)
        yield part
    if progress is not None:
        progress(count, count)
