"""The tree that `show` draws: a value with bytes and counts, a schema with dims."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

import jax
import numpy as np
from jax.sharding import NamedSharding

from .._compat import axis_rules, variables
from .._sharding.axis_names import show_names
from .._spec.describe import describe
from .._spec.dim_grammar import show_expr
from .._spec.filters import WILDCARD
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    Conditional,
    EntriesSpec,
    Field,
    FlatSpec,
    Leaf,
    Map,
    ModuleState,
    Node,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
    Union,
    ValueSpec,
    Within,
)
from .._spec.questions import root_of
from .._validation.show_value import describe_value
from ..report import Path, show_key, show_path

_MAX_DEPTH: Final = 40
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(slots=True)
class Branch:
    """One line of the tree.

    Attributes:
      path: its keys.
      text: what stands there.
      leaves: how many leaves are below, itself included.
      parameters: how many numbers; None in a schema.
      nbytes: how many bytes; None in a schema.
      below: what stands below.
      links: what the names of dims below are called here.
      placed: where the array is; empty where that can't be seen or is one device.
    """

    path: Path
    text: str
    leaves: int = 0
    parameters: int | None = None
    nbytes: int | None = None
    below: list[Branch] = field(default_factory=list["Branch"])
    links: tuple[tuple[str, str], ...] = ()
    placed: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The tree as JSON data."""
        data: dict[str, Any] = {"path": show_path(self.path), "is": self.text}
        if self.parameters is not None:
            data |= {"parameters": self.parameters, "bytes": self.nbytes}
        data["leaves"] = self.leaves
        return {**data, "below": [item.to_dict() for item in self.below]} if self.below else data

    def lines(self, depth: int | None, indent: str = "") -> Iterator[str]:
        """Yields the lines below this one, to a depth."""
        if depth == 0:
            return
        for index, item in enumerate(self.below):
            last = index == len(self.below) - 1
            head = _line(item, folded=depth == 1 and bool(item.below))
            yield f"{indent}{'└─' if last else '├─'} {head}"
            below = None if depth is None else depth - 1
            yield from item.lines(below, f"{indent}{'   ' if last else '│  '}")

    def summary(self) -> str:
        """Leaves, numbers and bytes of the whole."""
        count = f"{self.leaves:,} {'leaf' if self.leaves == 1 else 'leaves'}"
        if self.parameters is None:
            return count
        return f"{count}, {self.parameters:,} numbers, {show_bytes(self.nbytes or 0)}"

    def kept(self, pattern: str) -> Branch | None:
        """What is left where only leaves whose path or kind is like a pattern stay."""
        if not self.below:
            kind = self.text.partition(" ")[0].partition("[")[0]
            like = fnmatch.fnmatchcase(show_path(self.path), pattern) or pattern == kind
            return self if like else None
        below = [left for item in self.below if (left := item.kept(pattern)) is not None]
        return _summed(self.path, self.text, below) if below else None


def _line(item: Branch, *, folded: bool) -> str:
    key = item.path[-1]
    name = str(key) if isinstance(key, str | int) or key is WILDCARD else show_key(key)
    if not item.below:
        return f"{name}: {item.text}"
    counted = f" ({item.summary()})" if folded or item.parameters is not None else ""
    return f"{name}: {item.text}{counted}" if item.text else f"{name}{counted}"


def _summed(path: Path, text: str, below: list[Branch]) -> Branch:
    counted = all(item.parameters is not None for item in below)
    return Branch(
        path,
        text,
        sum(item.leaves for item in below),
        sum(item.parameters or 0 for item in below) if counted else None,
        sum(item.nbytes or 0 for item in below) if counted else None,
        below,
    )


def show_bytes(count: int) -> str:
    """A number of bytes as people read it."""
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{count} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


# -- Values --------------------------------------------------------------------------------


def of_value(value: Any, path: Path = ()) -> Branch:
    """The tree of a state or nested dict; nothing is read but metadata."""
    mapping = variables.mapping_of(value)
    if mapping is not None:
        return _summed(path, "", [of_value(item, (*path, key)) for key, item in mapping.items()])
    text, held = describe_value(value), value
    if variables.is_variable(value):
        held = variables.raw_value(value)
        names = axis_rules.declared_names(variables.metadata_of(value))
        text = f"{text} {show_names(names)}" if names else text
    arrays = [leaf for leaf in _leaves(held) if hasattr(leaf, "shape")]
    parameters = sum(math.prod(leaf.shape) for leaf in arrays)
    nbytes = sum(math.prod(leaf.shape) * _itemsize(leaf.dtype) for leaf in arrays)
    return Branch(path, text, 1, parameters, nbytes, placed=_placed(arrays))


def _placed(arrays: list[Any]) -> str:
    found = {str(sharding.spec) for leaf in arrays if (sharding := _sharding(leaf)) is not None}
    return f"at {', '.join(sorted(found))}" if found else ""


def _sharding(leaf: Any) -> NamedSharding | None:
    """Where an array is, if it says so: a tracer does not."""
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


# -- Schemas -------------------------------------------------------------------------------


def of_spec(spec: Spec, path: Path = (), open_: tuple[Any, ...] = ()) -> Branch:
    """The tree of a schema, each map with one entry ``*``."""
    links, outward = "", dict[str, str]()
    while isinstance(spec, Argument | Bound | ScopedSpec | SameSpec | ModuleState):
        if isinstance(spec, Bound):
            pairs = [(name.lstrip("^"), show_expr(expr).lstrip("^")) for name, expr in spec.links]
            outer = dict(pairs)
            outward = {**outer, **{name: outer.get(to, to) for name, to in outward.items()}}
            shown = (a if a == b else f"{a}={b}" for a, b in pairs)
            links = f" {' '.join(dict.fromkeys(shown))}" + links
        spec = spec.inner
    if isinstance(spec, ValueSpec):
        return Branch(path, describe(spec), 1)
    match spec:
        case Node(ref):
            root = root_of(ref)
            if root in open_ or len(path) > _MAX_DEPTH:
                return Branch(path, f"{ref.name}{links} ...", 0)
            fields = ref.resolve().fields
            below = [_of_field(item, path, (*open_, root)) for item in fields]
            found = _summed(path, f"{ref.name}{links}", below)
            found.links = tuple(outward.items())
            return found
        case EntriesSpec(items):
            kept = [(i, item) for i, item in enumerate(items) if item is not None]
            below = [of_spec(item, (*path, i), open_) for i, item in kept]
            return _summed(path, "Entries", below)
        case Map(key, entry, length):
            text = f"StateMap[{key}]" + ("" if length is None else f" len={show_expr(length)}")
            return _summed(path, text, [of_spec(entry, (*path, WILDCARD), open_)])
        case StateOfSpec(leaf):
            return _summed(path, "StateOf", [of_spec(leaf, (*path, WILDCARD), open_)])
        case Union():
            return Branch(path, describe(spec), 1)
        case (
            Anything()
            | Leaf()
            | Bound()
            | Argument()
            | Within()
            | ScopedSpec()
            | SameSpec()
            | FlatSpec()
            | Conditional()
            | ModuleState()
        ):
            names = spec.names if isinstance(spec, Leaf) else None
            text = describe(spec)
            return Branch(path, f"{text} {show_names(names)}" if names else text, 1)
        case _:
            assert_never(spec)


def _of_field(item: Field, path: Path, open_: tuple[Any, ...]) -> Branch:
    found = of_spec(item.spec, (*path, item.key), open_)
    if item.optional:
        found.text = f"{found.text} | None"
    if item.shared is not None:
        found.text = f"{found.text}, shared with {item.shared}"
    return found
