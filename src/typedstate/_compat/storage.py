"""What a sharding says beside how it splits axes: memory, and sums that are still to be made.

What an older JAX can't say (a space of memory in an abstract value) is None, or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from jax.sharding import NamedSharding, PartitionSpec

_spec: Final[Any] = PartitionSpec
#: The kinds of memory that JAX's spaces stand for in an abstract value.
_SPACES: Final[Mapping[str, tuple[str, ...]]] = {
    "device": ("device",),
    "host": ("pinned_host", "unpinned_host"),
}


class Storage(msgspec.Struct, frozen=True):
    """How the shards of an array are kept.

    Attributes:
      memory_kind: as ``NamedSharding`` has it, e.g. ``pinned_host``; None for any.
      unreduced: mesh axes over which shards are still to be summed.
      reduced: mesh axes over which the shards of its gradient will be.
    """

    memory_kind: str | None = None
    unreduced: frozenset[Any] = frozenset()
    reduced: frozenset[Any] = frozenset()

    @property
    def sums(self) -> Storage:
        """Without the memory: what a PartitionSpec says."""
        return Storage(None, self.unreduced, self.reduced)

    def named(self, rename: Callable[[Any], Iterable[Any]]) -> Storage:
        """With other names for its axes, each of which may become several or none."""
        unreduced = frozenset(new for name in self.unreduced for new in rename(name))
        reduced = frozenset(new for name in self.reduced for new in rename(name))
        return Storage(self.memory_kind, unreduced, reduced)

    def words(self, show: Callable[[Any], str] = repr) -> str:
        """The sums as they stand behind the names in a PartitionSpec: ``, unreduced={'y'}``."""
        kept = (("unreduced", self.unreduced), ("reduced", self.reduced))
        shown = ((word, ", ".join(map(show, sorted(axes, key=str)))) for word, axes in kept)
        return "".join(f", {word}={{{text}}}" for word, text in shown if text)


#: Where nothing is declared.
ANYWHERE: Final = Storage()


def sums_of(spec: Any) -> Storage:
    """The sums of which a PartitionSpec or NamedSharding speaks."""
    spec = spec.spec if isinstance(spec, NamedSharding) else spec
    unreduced, reduced = getattr(spec, "unreduced", None), getattr(spec, "reduced", None)
    if not unreduced and not reduced:
        return ANYWHERE
    return Storage(None, frozenset(unreduced or ()), frozenset(reduced or ()))


def entries_of(spec: Any) -> tuple[Any, ...]:
    """The entries of a PartitionSpec, tuple or list; JAX refuses to iterate over one with sums."""
    for attribute in ("partitions", "_partitions"):
        found: tuple[Any, ...] | None = getattr(spec, attribute, None)
        if found is not None:
            return found
    return tuple(spec)


def partition(names: Iterable[Any], storage: Storage = ANYWHERE) -> Any:
    """The PartitionSpec with these names and sums."""
    sums = {"unreduced": set(storage.unreduced), "reduced": set(storage.reduced)}
    return _spec(*names, **{word: axes for word, axes in sums.items() if axes})


def memory_of(value: Any) -> tuple[str, ...] | None:
    """The kinds of memory in which an array may lie; None where that can't be seen.

    Args:
      value: a concrete array, an abstract one, a tracer's abstract value, or a sharding.
    """
    at = getattr(value, "sharding", value)
    at = getattr(at, "sharding", at)  # a Format has a layout beside it
    space = getattr(value, "memory_space", None)
    if space is not None:
        return _SPACES.get(str(getattr(space, "name", space)).lower())
    kind = getattr(at, "memory_kind", None)
    return (kind,) if isinstance(kind, str) else None


def special_memory(value: Any) -> str | None:
    """The kind of memory of an array that does not lie where its devices keep arrays."""
    try:
        at: Any = getattr(value, "sharding", None)
    except Exception:  # what JAX raises of a tracer depends on its version
        return None
    kind = getattr(at, "memory_kind", None)
    if not isinstance(kind, str):
        return None
    try:
        device = next(iter(at.device_set))
        usual = device.default_memory().kind
    except Exception:  # of a mesh without devices
        usual = "device"
    return None if kind == usual else kind
