"""`StoredLeaf` and `Checkpoint`: the content of a checkpoint as data, whichever format it has.

Each reader makes them from metadata alone; the rest of the package knows no formats.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from flax import nnx
from flax.nnx.training import optimizer

from .._compat.unknown_kind import UnknownKind
from .._compat.variables import make_variable
from .._validation.key_patterns import int_of
from ..rendering.byte_counts import show_bytes
from ..rendering.printable import printable
from ..report import show_path
from .key_numbers import IMPLEMENTATIONS, key_dtype
from .libraries import is_dict, shaped

Path = tuple[Hashable, ...]
Format = Literal["orbax", "safetensors", "msgpack"]
#: The sort of a stored value: an array, a Python number, a str, or nothing.
What = Literal["array", "scalar", "string", "empty"]

_SHOWN: Final = 200
#: `save` adds this to the name of a checkpoint that it replaces, until the new one has the name.
ASIDE: Final = ".replaced-"
#: What each format does not keep of a state, as a sentence for reports.
FORGOTTEN: Final[Mapping[Format, str]] = {
    "orbax": "Orbax does not keep of which kind a Variable was",
    "safetensors": "safetensors does not keep of which kind a Variable was",
    "msgpack": "Flax's msgpack does not keep of which kind a Variable was",
}


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """One array or value of a checkpoint, without its contents.

    Attributes:
      path: the keys as stored; an int is a position in a list or tuple.
      shape: the shape of the array.
      dtype: the dtype of the array; None for a str or nothing.
      what: the sort of the value: an array, a number, a str or nothing.
      sharding: the sharding when it was written, as text; empty if the format does not keep it.
      where: the name of the file that holds the array, for formats with several files.
      key_impl: the PRNG implementation, if the array is the numbers of keys; empty if it is
        not, or if the checkpoint does not name it.
      kind: the name of the Variable's class; empty if the checkpoint does not name it.
    """

    path: Path
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    what: What = "array"
    sharding: str = ""
    where: str = ""
    key_impl: str = ""
    kind: str = ""

    @property
    def nbytes(self) -> int:
        """The size of the array in memory, in bytes."""
        if self.dtype is None:
            return 0
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    @property
    def abstract(self) -> Any:
        """The ``jax.ShapeDtypeStruct`` of the array; None for nothing, an empty str for a str."""
        if self.dtype is not None:
            return shaped(self.shape, self.dtype)
        return None if self.what == "empty" else ""

    def __str__(self) -> str:
        """Dtype and shape, e.g. ``float32[64,128]``."""
        if self.dtype is None:
            return {"string": "a str", "empty": "nothing"}.get(self.what, self.what)
        keys = f" ({self.key_impl} keys)" if self.key_impl else ""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]{keys}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a checkpoint, read from its metadata without any weight.

    Attributes:
      path: the path as it was given.
      location: the folder or file that holds the arrays.
      format: the library that wrote it: Orbax, safetensors or ``flax.serialization``.
      leaves: the stored values, in the order in which they are stored.
      step: the step that was chosen in a CheckpointManager's folder, else None.
      item: the name of the item that was chosen, where a checkpoint has several, else None.
      metadata: the custom metadata that its writer put beside the weights.
      document: the JSON that `save` put beside the weights: schema, kinds, PRNG
        implementations; None if there is none.
    """

    path: str
    location: str
    format: Format
    leaves: tuple[StoredLeaf, ...]
    step: int | None = None
    item: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    document: Mapping[str, Any] | None = None

    @property
    def nbytes(self) -> int:
        """The size of all arrays in memory, in bytes."""
        return sum(leaf.nbytes for leaf in self.leaves)

    @property
    def stored(self) -> dict[Hashable, Any]:
        """Nested dicts of `StoredLeaf`, with the keys as stored."""
        return nested((leaf.path, leaf) for leaf in self.leaves)

    @property
    def tree(self) -> dict[Hashable, Any]:
        """Nested dicts of ``jax.ShapeDtypeStruct``, with the keys as stored."""
        return nested((leaf.path, leaf.abstract) for leaf in self.leaves)

    @property
    def held(self) -> dict[Hashable, Any]:
        """Nested dicts of `StoredLeaf`, with the keys that a state of the installed Flax has.

        Levels with the keys 0, 1, 2, ... have int keys, and the further key ``value`` under which
        formats store the array of a Variable is left out.
        """
        return held(self.leaves)

    @property
    def unknown(self) -> str:
        """A sentence on the kinds that the checkpoint does not name; empty if it names all."""
        if self.document is None:
            return FORGOTTEN[self.format]
        own = sorted({leaf.kind for leaf in self.leaves if leaf.kind and _kind(leaf) is None})
        return f"kinds that are not Flax's are known by name alone: {', '.join(own)}" if own else ""

    def state(self, kind: type[nnx.Variable[Any]] = UnknownKind) -> nnx.State[Any, Any]:
        """An abstract state as the installed Flax would hold it, e.g. for ``typedstate.infer``.

        It has the keys of `held`, and PRNG keys for the stored numbers of a stream. Kinds are
        those that `save` wrote; a leaf without one gets `kind`. Checks report the default kind as
        unknown, and never refuse it.
        """
        return nnx.State(_variables(self.held, kind, plain=self.document is not None))

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON data."""
        return {
            "path": self.path,
            "location": self.location,
            "format": self.format,
            "step": self.step,
            "item": self.item,
            "nbytes": self.nbytes,
            "leaves": [
                {
                    "path": show_path(leaf.path),
                    "keys": [key if isinstance(key, int) else str(key) for key in leaf.path],
                    "what": leaf.what,
                    "shape": list(leaf.shape),
                    "dtype": None if leaf.dtype is None else str(leaf.dtype),
                    "nbytes": leaf.nbytes,
                    "sharding": leaf.sharding,
                    "where": leaf.where,
                }
                for leaf in self.leaves
            ],
            "document": self.document,
        }

    def __str__(self) -> str:
        """The tree with dtype, shape, bytes and sharding of each array."""
        return "\n".join(map(printable, self._lines()))

    def _lines(self) -> Iterator[str]:
        chosen = "" if self.step is None else f", step {self.step}"
        chosen += "" if self.item is None else f", item {self.item}"
        count, size = len(self.leaves), show_bytes(self.nbytes)
        yield f"{self.path}: {self.format}{chosen}, {count} leaves, {size}"
        rows = [
            (show_path(leaf.path), str(leaf), show_bytes(leaf.nbytes), leaf.sharding)
            for leaf in self.leaves[:_SHOWN]
        ]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        for path, array, nbytes, sharding in rows:
            line = f"  {path:{widths[0]}}  {array:{widths[1]}}  {nbytes:>{widths[2]}}  {sharding}"
            yield line.rstrip()
        if count > _SHOWN:
            yield f"  and {count - _SHOWN} more"


def nested(items: Any) -> dict[Hashable, Any]:
    """Nested dicts of pairs of path and value; a path that goes on below a value replaces it."""
    tree: dict[Hashable, Any] = {}
    for path, value in items:
        below = tree
        for key in path[:-1]:
            inner: Any = below.get(key)
            if not is_dict(inner):
                inner = below[key] = {}
            below = inner
        below[path[-1] if path else ""] = value
    return tree


def value_level(node: Any) -> str | None:
    """The only key of a stored Variable: ``value``, up to Flax 0.9 ``raw_value``; else None."""
    if is_dict(node) and len(node) == 1:
        (key,) = node
        return key if key in ("value", "raw_value") else None
    return None


def numbered(keys: Any) -> bool:
    """Whether the keys are 0, 1, 2 and so on, as ints or as text."""
    ints = [key if isinstance(key, int) else int_of(key) for key in keys]
    return bool(ints) and set(ints) == set(range(len(ints)))


def held(leaves: Iterable[StoredLeaf]) -> dict[Hashable, Any]:
    """Nested dicts of leaves under the keys that a state of the installed Flax has."""
    found = _as_held(nested((leaf.path, leaf) for leaf in leaves))
    return found if is_dict(found) else {"value": found}


def _as_held(tree: Any) -> Any:
    if not is_dict(tree):
        return tree
    level = value_level(tree)
    if level is not None and not is_dict(tree[level]):
        return tree[level]
    as_int = numbered(tree)
    return {
        (int_of(key) if as_int and isinstance(key, str) else key): _as_held(item)
        for key, item in tree.items()
    }


def _variables(tree: dict[Hashable, Any], other: type, *, plain: bool) -> dict[Hashable, Any]:
    """The arrays of a tree in Variables; one without kind in `other`, or if `plain` in none."""
    found: dict[Hashable, Any] = {}
    stream = _is_stream(tree)
    for key, item in tree.items():
        if is_dict(item):
            below = _variables(item, other, plain=plain)
            if below or not item:
                found[key] = below
        elif item.dtype is not None:
            value = _as_keys(item) if stream and key == "key" else item.abstract
            bare = plain and not item.kind
            found[key] = value if bare else make_variable(_kind(item) or other, value, {})
    return found


def _is_stream(tree: dict[Hashable, Any]) -> bool:
    """Whether a level is a stream of PRNG keys, which are stored as plain numbers."""
    if tree.keys() != {"key", "count"} or any(is_dict(item) for item in tree.values()):
        return False
    key, count = tree["key"], tree["count"]
    return (
        str(key.dtype) == str(count.dtype) == "uint32"
        and key.shape[:-1] == count.shape
        and len(key.shape) > len(count.shape)
        and key.shape[-1] in IMPLEMENTATIONS
    )


def _as_keys(leaf: StoredLeaf) -> Any:
    """Abstract PRNG keys for stored numbers; their implementation is named, or told by the size."""
    implementation = leaf.key_impl or IMPLEMENTATIONS[leaf.shape[-1]]
    return shaped(leaf.shape[:-1], key_dtype(implementation))


def _kind(leaf: StoredLeaf) -> type[nnx.Variable[Any]] | None:
    """The Variable class that a leaf names, if Flax has one of that name."""
    found: Any = getattr(nnx, leaf.kind, None) or getattr(optimizer, leaf.kind, None)
    return found if _is_kind(found) else None


def _is_kind(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, nnx.Variable)
