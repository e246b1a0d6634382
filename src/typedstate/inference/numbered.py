"""Finds attributes that are numbered, as ``setattr(self, f"layers_{index}", ...)`` makes them.

`fields` asks `numbered` about each class; what it finds becomes a pattern with a count,
``extra={"layers_{len=layers}": S}``, where one hint describes all entries.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .catalogue import is_container, is_flax_layer
from .observe import BranchSeen, LeafSeen, Seen, names_in_code
from .text import singular, word

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,5}")
#: What is repeated by its name: two of it are no accident.
_REPEATED: Final = re.compile(r"((^|_)h|layer|block|stage|group|expert)s?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Run:
    """Keys that differ in one number, which counts from 0.

    Attributes:
      before: the text before the number.
      after: the text behind it.
    """

    before: str
    after: str

    def key(self, index: int) -> str:
        """One of the keys."""
        return f"{self.before}{index}{self.after}"

    @property
    def field(self) -> str:
        """The keys without their number, for names: ``layers`` of ``layers_0``."""
        return "_".join(part for part in (self.before.strip("_."), self.after.strip("_.")) if part)

    @property
    def entry(self) -> str:
        """The name of one entry: ``layer`` of ``layers_0``."""
        return singular(self.field)

    @property
    def counted(self) -> str:
        """What is counted: ``norms`` of ``norm_0``, and ``blocks`` of ``block_0_norm``, too."""
        found = word(self.before.strip("_."))
        return found if found.endswith("s") or len(found) < 3 else f"{found}s"

    def keys(self, there: Collection[Hashable]) -> list[str]:
        """The keys that are there, in the order of their numbers, up to the first gap."""
        found: list[str] = []
        while (key := self.key(len(found))) in there:
            found.append(key)
        return found


def numbered(branches: Sequence[BranchSeen]) -> dict[str, Run]:
    """The numbered keys of a class, two or more of them somewhere, with no gap in any occurrence.

    A key that the code of the module's class names is an attribute by itself: ``self.norm0``. Two
    that have no name for what is repeated are two by design, such as the gates ``wi_0`` and
    ``wi_1``; of a tree without code, or of a module whose attributes come from Linen, so are three.
    """
    each = [_numbers(branch.items) for branch in branches]
    longest: defaultdict[Run, int] = defaultdict(int)
    gaps: set[Run] = set()
    counts: defaultdict[Run, set[int]] = defaultdict(set)
    for numbers in each:
        for run, there in numbers.items():
            longest[run] = max(longest[run], len(there))
            counts[run].add(len(there))
            if max(there) >= len(there):
                gaps.add(run)
    named = {run for name in _named(branches) for run in _numbers([name])}
    found: dict[str, Run] = {}
    for run, count in sorted(longest.items(), key=lambda item: (-item[1], -len(item[0].before))):
        keys = [run.key(index) for index in range(count)]
        if count < 2 or run in gaps or run in named or not found.keys().isdisjoint(keys):
            continue
        coded = all(map(_has_code, branches)) and (count > 2 or len(counts[run]) > 1)
        if coded or _is_meant(run, count, _entries(branches, keys)):
            found.update(dict.fromkeys(keys, run))
    return found


def unnumbered(branch: BranchSeen, idents: Mapping[Hashable, object]) -> dict[Hashable, object]:
    """What is known of each key, in which numbered keys of which the same is known stand once."""
    found = dict(idents)
    for run in {*numbered([branch]).values()}:
        keys = run.keys(branch.items)
        known = {idents[key] for key in keys}
        if len(known) == 1:
            for key in keys:
                del found[key]
            found[run] = known.pop()
    return found


def _numbers(keys: Iterable[Hashable]) -> dict[Run, set[int]]:
    """The numbers of keys, by what the keys are without them; each number in a key by itself."""
    found: defaultdict[Run, set[int]] = defaultdict(set)
    for key in keys:
        if not isinstance(key, str) or "{" in key or "}" in key:
            continue
        for number in re.finditer(r"[0-9]+", key):
            if number.start() and _NUMBER.fullmatch(number[0]):
                run = Run(key[: number.start()], key[number.end() :])
                found[run].add(int(number[0]))
    return found


def _named(branches: Sequence[BranchSeen]) -> frozenset[str]:
    """The attributes that the code of the classes sets by name."""
    classes = {branch.cls for branch in branches if branch.cls is not None}
    return frozenset(name for cls in classes for name in names_in_code(cls))


def _entries(branches: Sequence[BranchSeen], keys: Sequence[str]) -> list[Seen]:
    return [branch.items[key] for branch in branches for key in keys if key in branch.items]


def _is_meant(run: Run, count: int, entries: Sequence[Seen]) -> bool:
    """Whether the number is a count, where no code says so: by its name, or as there are many."""
    if _REPEATED.search(run.field):
        return True
    plain = any(isinstance(item, LeafSeen) or _is_small(item) for item in entries)
    return count > (3 if plain else 2)


def _is_small(branch: BranchSeen) -> bool:
    """Whether a sub-state may be one layer: it has leaves alone."""
    leaves = all(isinstance(item, LeafSeen) for item in branch.items.values())
    return leaves or is_flax_layer(branch.cls)


def _has_code(branch: BranchSeen) -> bool:
    """Whether the class of a branch is a user's, whose code makes the attributes."""
    cls = branch.cls
    return cls is not None and not is_container(cls) and not cls.__module__.startswith("flax.")
