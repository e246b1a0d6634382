"""`Absent`: the reason why a tree has no item under a key."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple


class Absent(NamedTuple):
    """A tree certainly has no item under a key.

    Attributes:
      reason: the end of a message that begins with the tree and the key.
      dropped: whether the schema has the key and a form drops it.
      of_class: whether the tree has no keys of this class, which mypy itself reports too.
      misspelt: whether the tree has a key that looks like this one.
    """

    reason: str
    dropped: bool = False
    of_class: bool = False
    misspelt: bool = False


def unknown_key(known: Iterable[Hashable], key: Hashable) -> Absent:
    """The absence of an unknown key; suggests the likely one, or lists all keys."""
    keys = list(known)
    if isinstance(key, str):
        import difflib  # for errors alone

        close = difflib.get_close_matches(
            key, [name for name in keys if isinstance(name, str)], n=1
        )
        if close:
            return Absent(f'did you mean "{close[0]}"?', misspelt=True)
    # Not in the order of the class, which mypy's JSON cache does not keep.
    shown = sorted(f'"{name}"' if isinstance(name, str) else repr(name) for name in keys)
    return Absent(f"it has {', '.join(shown)}" if shown else "it has none")
