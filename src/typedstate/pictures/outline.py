"""`Branch`: one line of the tree that `show` draws; and the trees of values and checkpoints."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import jax
import numpy as np
from jax.sharding import NamedSharding

from .._compat import axis_rules, variables
from .._compat.storage import ANYWHERE, special_memory
from .._sharding.axis_names import show_placement
from .._spec.filters import WILDCARD
from .._validation.show_value import describe_value
from ..rendering.byte_counts import show_bytes
from ..rendering.printable import printable
from ..report import Path, show_key, show_path

MAX_DEPTH: Final = 100  # levels of a tree that are drawn


@dataclass(slots=True)
class Branch:
    """One line of the tree.

    Attributes:
      path: the keys from the root.
      text: the kind, dtype and shape, or the schema.
      bound: the links of a `Bind`, e.g. ``din=d``; empty for a value.
      more: further text, behind the links.
      leaves: the number of leaves at and below this line.
      parameters: the count of numbers in their arrays; None in a schema.
      nbytes: the size of their arrays in bytes; None in a schema.
      below: the lines one level deeper.
      names: the dims of the names in `text`, and right of ``=`` in `bound`.
      inside: the dims of the names left of ``=`` in `bound`.
      placed: the sharding of the array as text; empty for one device, or if it is unknown.
    """

    path: Path
    text: str
    bound: str = ""
    more: str = ""
    leaves: int = 0
    parameters: int | None = None
    nbytes: int | None = None
    below: list[Branch] = field(default_factory=list["Branch"])
    names: dict[str, str] = field(default_factory=dict[str, str])
    inside: dict[str, str] = field(default_factory=dict[str, str])
    placed: str = ""

    @property
    def told(self) -> str:
        """The text, the links and the further text in one."""
        return f"{self.text} {self.bound}{self.more}" if self.bound else self.text + self.more

    def to_dict(self) -> dict[str, Any]:
        """The tree as JSON data."""
        data: dict[str, Any] = {"path": show_path(self.path), "is": self.told}
        if self.parameters is not None:
            data |= {"parameters": self.parameters, "bytes": self.nbytes}
        data["leaves"] = self.leaves
        return {**data, "below": [item.to_dict() for item in self.below]} if self.below else data

    def lines(self, depth: int | None, indent: str = "") -> Iterator[Line]:
        """Yields the lines below this one, to a depth."""
        if depth == 0:
            return
        for index, item in enumerate(self.below):
            last = index == len(self.below) - 1
            folded = depth == 1 and bool(item.below)
            yield _line(item, f"{indent}{'└─' if last else '├─'} ", folded=folded)
            below = None if depth is None else depth - 1
            yield from item.lines(below, f"{indent}{'   ' if last else '│  '}")

    def summary(self) -> str:
        """The counts of leaves, numbers and bytes as text."""
        count = f"{self.leaves:,} {'leaf' if self.leaves == 1 else 'leaves'}"
        if self.parameters is None:
            return count
        return f"{count}, {self.parameters:,} numbers, {show_bytes(self.nbytes or 0)}"

    def kept(self, pattern: str) -> Branch | None:
        """The branch with the leaves whose path or kind matches a pattern; None if none does."""
        if not self.below:
            kind = self.text.partition(" ")[0].partition("[")[0]
            like = fnmatch.fnmatchcase(show_path(self.path), pattern) or pattern == kind
            return self if like else None
        below = [left for item in self.below if (left := item.kept(pattern)) is not None]
        if not below:
            return None
        left = summed(self.path, self.text, below)
        left.bound, left.more = self.bound, self.more
        left.names, left.inside = self.names, self.inside
        return left


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree as text.

    Attributes:
      before: the text before the links of dims.
      after: the text behind them.
      branch: the branch of the line.
    """

    before: str
    after: str
    branch: Branch

    def __str__(self) -> str:
        """The line."""
        return f"{self.before}{self.branch.bound}{self.after}"


def key_text(key: Hashable) -> str:
    """A key as text in pictures."""
    return str(key) if isinstance(key, str | int) or key is WILDCARD else show_key(key)


def _line(item: Branch, rails: str, *, folded: bool) -> Line:
    name, text = printable(key_text(item.path[-1])), printable(item.text)
    before = f"{rails}{name}: {text}" if text or not item.below else f"{rails}{name}"
    counted = folded or (item.below and item.parameters is not None)
    after = f"{item.more} ({item.summary()})" if counted else item.more
    return Line(f"{before} " if item.bound else before, after, item)


def summed(path: Path, text: str, below: list[Branch]) -> Branch:
    """A branch whose counts are the sums over the branches below it."""
    counted = all(item.parameters is not None for item in below)
    return Branch(
        path,
        text,
        leaves=sum(item.leaves for item in below),
        parameters=sum(item.parameters or 0 for item in below) if counted else None,
        nbytes=sum(item.nbytes or 0 for item in below) if counted else None,
        below=below,
    )


def of_value(value: Any, path: Path = ()) -> Branch:
    """The tree of a state or nested dict, from metadata alone."""
    mapping = variables.mapping_of(value)
    if mapping is not None and len(path) >= MAX_DEPTH:
        return _too_deep(path)
    if mapping is not None:
        return summed(path, "", [of_value(item, (*path, key)) for key, item in mapping.items()])
    text, held = describe_value(value), value
    if variables.is_variable(value):
        held = variables.raw_value(value)
        metadata = variables.metadata_of(value)
        sums = axis_rules.written_sums(metadata) or ANYWHERE
        text = f"{text} {show_placement(axis_rules.declared_names(metadata), sums)}".rstrip()
    arrays = [leaf for leaf in _leaves(held) if hasattr(leaf, "shape")]
    parameters = sum(math.prod(leaf.shape) for leaf in arrays)
    nbytes = sum(math.prod(leaf.shape) * _itemsize(leaf.dtype) for leaf in arrays)
    return Branch(
        path, text, leaves=1, parameters=parameters, nbytes=nbytes, placed=_placed(arrays)
    )


def _too_deep(path: Path) -> Branch:
    return Branch(path, "a tree nested too deeply to draw", parameters=0, nbytes=0)


def of_stored(value: Any, path: Path = ()) -> Branch:
    """The tree of a checkpoint, from its metadata alone."""
    if isinstance(value, Mapping) and len(path) >= MAX_DEPTH:
        return _too_deep(path)
    if isinstance(value, Mapping):
        items = cast("Mapping[Hashable, Any]", value).items()
        return summed(path, "", [of_stored(item, (*path, key)) for key, item in items])
    placed = f"at {value.sharding}" if value.sharding else ""
    text = " ".join(filter(None, (value.kind, str(value), placed)))
    return Branch(
        path, text, leaves=1, parameters=math.prod(value.shape), nbytes=value.nbytes, placed=placed
    )


def _placed(arrays: list[Any]) -> str:
    shardings = [(leaf, sharding) for leaf in arrays if (sharding := _sharding(leaf)) is not None]
    found = sorted({str(sharding.spec) for _, sharding in shardings})
    kinds = sorted({kind for leaf, _ in shardings if (kind := special_memory(leaf)) is not None})
    at = f"at {', '.join(found)}" if found else ""
    return f"{at} in {', '.join(kinds)}" if kinds else at


def _sharding(leaf: Any) -> NamedSharding | None:
    """The sharding of an array; None for a tracer, which has none."""
    try:
        sharding = getattr(leaf, "sharding", None)
    except Exception:  # what JAX raises of a tracer depends on its version
        return None
    return sharding if isinstance(sharding, NamedSharding) else None


def _leaves(value: Any) -> list[Any]:
    tree: Any = jax.tree
    found: list[Any] = tree.leaves(value)
    return found


def _itemsize(dtype: Any) -> int:
    return int(getattr(dtype, "itemsize", None) or np.dtype("uint32").itemsize)
