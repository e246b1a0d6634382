"""Axis names against meshes: what a declaration says of a placement, and what an array shows.

The explainer asks `compare_names`, `compare_partition` and `compare_placement`; the trees of
`derive` are built with `resolve` and `problems`. Only metadata is read: no transfer, no
communication, and a running computation is not waited for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, cast

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from . import leaves

Names = tuple[Any, ...]
Rules = Iterable[tuple[str, Any]] | Callable[[Names], Any]
Outcome = Literal["match", "mismatch", "unknown"]

_spec: Final[Any] = PartitionSpec
_ANY: Final[Any] = PartitionSpec.UNCONSTRAINED
_NO_RULES_NOTE: Final = "no rules in the context: the names stand for themselves"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an array is as declared.

    Attributes:
      outcome: match, mismatch, or unknown where it can't be seen.
      expected: what is declared, for a report.
      actual: what is there; for unknown, why it can't be seen.
      note: the likely cause or fix.
    """

    outcome: Outcome
    expected: str = ""
    actual: str = ""
    note: str = ""


MATCH: Final = Verdict("match")


# -- Names -----------------------------------------------------------------------------------


def show(names: Iterable[Any]) -> str:
    """Axis names as a PartitionSpec is written: ``P('embed', None)``."""
    shown = ("..." if name is ... else repr(name) for name in names)
    return f"P({', '.join(shown)})"


def show_mesh(mesh: Any) -> str:
    """The axes of a mesh: ``fsdp=4, tensor=2``."""
    return ", ".join(f"{name}={size}" for name, size in mesh.shape.items())


def as_rules(rules: Any) -> Rules | None:
    """Rules as hashable data: a callable, or pairs of a logical name and axes of the mesh.

    Raises:
      TypeError: they are neither.
    """
    if rules is None:
        return None
    if callable(rules):
        return cast("Callable[[Names], Any]", rules)
    pairs = cast("Iterable[tuple[str, Any]]", rules)
    return tuple((str(name), _frozen(axes)) for name, axes in pairs)


def _frozen(axes: Any) -> Any:
    return (*axes,) if isinstance(axes, list) else axes


def spread(names: Names, rank: int | None) -> Names:
    """Names with as many None in the place of ``...`` as the rank leaves."""
    if ... not in names:
        return names
    at = names.index(...)
    if rank is None:
        return names
    return (*names[:at], *(None,) * (rank - len(names) + 1), *names[at + 1 :])


def resolve(names: Names, rules: Rules | None = None, own: Any = None) -> Names:
    """Axis names as a mesh has them, resolved by Flax's functions.

    Args:
      names: logical or mesh names, one per axis.
      rules: pairs in the place of the context's ``logical_axis_rules``, or a callable such as
        ``functools.partial(flax.linen.logical_to_mesh_axes, rules=...)``.
      own: the Variable's ``sharding_rules``.

    Raises:
      ValueError: the rules contradict each other.
    """
    if not names:
        return ()
    if callable(rules):
        found = rules(names)
        return leaves.axis_names(() if found is None else found)
    return leaves.axis_names(leaves.resolve_names(names, rules, own))


def axes_of(entry: Any) -> tuple[Any, ...]:
    """The mesh axes that one entry of a PartitionSpec names."""
    if entry is None or entry is _ANY:
        return ()
    return tuple(cast("Names", entry)) if isinstance(entry, tuple | list) else (entry,)


def _room(rank: int) -> str:
    return f"names for {rank} {'axis' if rank == 1 else 'axes'}"


def _all_axes(names: Names) -> set[Any]:
    return {name for entry in names for name in axes_of(entry)}


@lru_cache(maxsize=4096)
def compare_names(found: Names | None, wanted: Names, rank: int | None, given: bool) -> Verdict:
    """Compares the names in a Variable's metadata with the declared ones.

    Args:
      found: in the metadata, None where it has none.
      wanted: as declared.
      rank: of the array, None where it is no array.
      given: they are declared by dims: metadata without names is as good.
    """
    expected = leaves.axis_names(spread(wanted, rank))
    if found is None and (given or not expected):
        return MATCH
    if found == expected:
        return MATCH
    actual = "no names in its metadata" if found is None else show(found)
    return Verdict("mismatch", show(expected), actual)


def problems(
    names: Names, shape: Sequence[int | None] | None, mesh: Any
) -> Iterator[tuple[str, str]]:
    """Yields why an array can't be split by these names on a mesh: expected, actual.

    Args:
      names: resolved to axes of the mesh.
      shape: of the array; a size is None where it is open, and so is the shape.
      mesh: concrete or abstract; None where names and rank are all that is looked at.
    """
    text = show(names)
    if shape is not None and len(names) > len(shape):
        yield _room(len(shape)), text
        return
    seen: set[Any] = set()
    sizes: Mapping[Any, int] = {} if mesh is None else mesh.shape
    for axis, entry in enumerate(names):
        for name in axes_of(entry):
            if name in seen:
                yield f"{name!r} at one axis only, as a mesh axis splits one", text
            elif mesh is not None and name not in sizes:
                yield f"axes of the mesh ({show_mesh(mesh)})", f"{name!r} in {text}"
            seen.add(name)
        known = {name: sizes[name] for name in axes_of(entry) if name in sizes}
        size = None if shape is None else shape[axis]
        if size is not None and size % math.prod(known.values()):
            by = "*".join(f"{name}={parts}" for name, parts in known.items())
            yield f"axis {axis} divisible by {by}", f"size {size}"


# -- Trees of partitions -----------------------------------------------------------------------


def compare_partition(found: Any, names: Names | None, rank: int | None) -> Verdict:
    """Compares a PartitionSpec or NamedSharding with declared names.

    Without rules in the context, names stand for themselves, as ``nnx.get_partition_spec``
    has it; a name that the mesh doesn't have is unknown.
    """
    spec = found.spec if isinstance(found, NamedSharding) else found
    mesh = found.mesh if isinstance(found, NamedSharding) else leaves.context_mesh()
    actual = leaves.axis_names(spec)
    if rank is not None and len(actual) > rank:
        return Verdict("mismatch", _room(rank), show(actual))
    if names is None:
        return MATCH
    declared = leaves.axis_names(spread(names, rank))
    if actual == declared or ... in declared:
        return MATCH
    try:
        wanted = resolve(declared)
    except ValueError as error:
        return Verdict("mismatch", show(declared), show(actual), str(error))
    split = _Split(wanted, mesh)
    if split.differs(actual):
        there = _all_axes(actual)
        strangers = bool(there) and there.isdisjoint(_all_axes(wanted))
        note = _NO_RULES_NOTE if mesh is None and wanted == declared and strangers else ""
        return Verdict("mismatch", show(wanted), show(actual), note)
    return split.verdict()


def misfits(leaf: Any, rank: int) -> list[tuple[str, str]]:
    """What is wrong with a partition itself: too many names, a mesh axis named twice."""
    partition = _partition_of(leaf)
    names = leaves.axis_names(partition)
    return list(problems(names, (None,) * rank, None))


def divisors(leaf: Any) -> tuple[tuple[int, int, str], ...]:
    """Axis, number of parts and mesh axes of each axis that a partition splits on its mesh."""
    partition = _partition_of(leaf)
    mesh = partition.mesh if isinstance(partition, NamedSharding) else leaves.context_mesh()
    if mesh is None:
        return ()
    found: list[tuple[int, int, str]] = []
    for axis, entry in enumerate(leaves.axis_names(partition)):
        names = [name for name in axes_of(entry) if name in mesh.shape]
        parts = math.prod(mesh.shape[name] for name in names)
        if parts > 1:
            text = "*".join(f"{name}={mesh.shape[name]}" for name in names)
            found.append((axis, parts, text))
    return tuple(found)


def _partition_of(leaf: Any) -> Any:
    return leaves.raw_value(leaf) if leaves.is_variable(leaf) else leaf


@dataclass(slots=True)
class _Split:
    """Declared axes beside actual ones, and what can't be told of them.

    Attributes:
      wanted: entries of the resolved names.
      mesh: to which they belong; None where names stand for themselves.
      kinds: of the axes that can't be seen, with the reason.
    """

    wanted: Names
    mesh: Any
    kinds: Mapping[Any, str] | None = None

    def sizes(self) -> Mapping[Any, int]:
        """Of the mesh's axes."""
        sizes: Mapping[Any, int] = {} if self.mesh is None else self.mesh.shape
        return sizes

    def visible(self, entry: Any) -> tuple[Any, ...]:
        """The axes of an entry that split it, where they can be seen."""
        sizes, kinds = self.sizes(), self.kinds or {}
        return tuple(
            name for name in axes_of(entry) if sizes.get(name, 2) != 1 and name not in kinds
        )

    def strange(self) -> list[Any]:
        """The names that the mesh doesn't have."""
        if self.mesh is None:
            return []
        return [n for entry in self.wanted for n in axes_of(entry) if n not in self.sizes()]

    def differs(self, actual: Names) -> bool:
        """Whether an axis that can be seen is split otherwise than declared."""
        strange = set(self.strange())
        for axis in range(max(len(self.wanted), len(actual))):
            want = self.wanted[axis] if axis < len(self.wanted) else None
            have = actual[axis] if axis < len(actual) else None
            if want is _ANY or have is _ANY or strange & set(axes_of(want)):
                continue
            if self.visible(want) != self.visible(have):
                return True
        return False

    def verdict(self) -> Verdict:
        """Match, or why that can't be told."""
        strange = self.strange()
        if strange:
            text = f"no rule and no axis of the mesh ({show_mesh(self.mesh)}) is called"
            return Verdict("unknown", show(self.wanted), f"{text} {strange[0]!r}")
        hidden = self.kinds or {}
        for entry in self.wanted:
            for name in axes_of(entry):
                if name in hidden and self.sizes()[name] != 1:
                    return Verdict("unknown", show(self.wanted), f"{name!r} {hidden[name]}")
        return MATCH


# -- Arrays --------------------------------------------------------------------------------


def compare_placement(
    value: Any, names: Names, rules: Rules | None, metadata: Mapping[str, Any]
) -> Verdict:
    """Compares where an array really is with declared names.

    Args:
      value: a concrete array, also one that is not fully addressable, a tracer, a reference,
        an abstract value, or a numpy array.
      names: as declared, or as its Variable's metadata has them.
      rules: of the form; None for those of the context.
      metadata: of its Variable: ``sharding_rules`` and ``mesh`` are read.
    """
    rank = len(value.shape)
    at = None if leaves.is_traced(value) else getattr(value, "sharding", None)
    if isinstance(at, NamedSharding):
        own = metadata.get("sharding_rules")
        if callable(rules):  # its answers are not ours to keep
            return _compare_on_mesh(at, rank, names, rules, own)
        key: Any = (at, rank, names, rules, own, leaves.context_rules())
        try:
            hash(key)
        except TypeError:  # rules in lists
            return _compare_on_mesh(at, rank, names, rules, own)
        return _compare_cached(*key)
    declared = spread(names, rank)
    try:
        wanted = resolve(declared, rules, metadata.get("sharding_rules"))
    except ValueError as error:
        return Verdict("mismatch", show(declared), "rules that contradict each other", str(error))
    if len(wanted) > rank:
        return Verdict("mismatch", _room(rank), show(wanted))
    if leaves.is_traced(value):
        return _compare_traced(leaves.type_of(value), wanted)
    sharding = getattr(value, "sharding", None)
    mesh = metadata.get("mesh") or leaves.context_mesh()
    if sharding is None:
        kind = "a numpy array" if isinstance(value, np.ndarray) else "no sharding"
        return _compare_whole(wanted, kind, mesh)
    sharding = getattr(sharding, "sharding", sharding)  # a Format has a layout beside it
    if isinstance(sharding, NamedSharding):
        return _compare_named(sharding, wanted)
    return _compare_other(sharding, wanted, mesh, rank)


def _compare_traced(aval: Any, wanted: Names) -> Verdict:
    """Explicit axes show their split, Auto and Manual ones don't."""
    sharding = getattr(aval, "sharding", None)
    mesh = getattr(sharding, "mesh", None)
    if sharding is None or mesh is None or mesh.empty:
        why = "a tracer without a mesh does not show it"
        return Verdict("unknown", show(wanted), why)
    kinds = {
        name: _HIDDEN[str(kind).rpartition(".")[2]]
        for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True)
        if str(kind).rpartition(".")[2] in _HIDDEN
    }
    split = _Split(wanted, mesh, kinds)
    actual = leaves.axis_names(sharding.spec)
    if split.differs(actual):
        return Verdict("mismatch", show(wanted), show(actual))
    verdict = split.verdict()
    if verdict.outcome == "match" and any(mesh.shape[name] != 1 for name in kinds):
        name = next(name for name in kinds if mesh.shape[name] != 1)
        return Verdict("unknown", show(wanted), f"{name!r} {kinds[name]}")
    return verdict


@lru_cache(maxsize=1024)
def _compare_cached(
    at: NamedSharding, rank: int, names: Names, rules: Rules | None, own: Any, context: Any
) -> Verdict:
    """The comparison on a mesh; `context` stands in the key only, as `resolve` reads it."""
    return _compare_on_mesh(at, rank, names, rules, own)


def _compare_on_mesh(
    at: NamedSharding, rank: int, names: Names, rules: Rules | None, own: Any
) -> Verdict:
    declared = spread(names, rank)
    try:
        wanted = resolve(declared, rules, own)
    except ValueError as error:
        return Verdict("mismatch", show(declared), "rules that contradict each other", str(error))
    if len(wanted) > rank:
        return Verdict("mismatch", _room(rank), show(wanted))
    return _compare_named(at, wanted)


_HIDDEN: Final = {
    "Auto": "is Auto: a tracer does not show it",
    "Manual": "is Manual: shard_map shows one shard",
}


def _compare_named(sharding: NamedSharding, wanted: Names) -> Verdict:
    split = _Split(wanted, sharding.mesh)
    actual = leaves.axis_names(sharding.spec)
    if split.differs(actual):
        return Verdict("mismatch", show(wanted), show(actual))
    unreduced = getattr(sharding.spec, "unreduced", None)
    if unreduced:
        axes = ", ".join(map(repr, sorted(unreduced)))
        return Verdict("mismatch", show(wanted), f"partial sums over {axes}")
    return split.verdict()


def _compare_other(sharding: Any, wanted: Names, mesh: Any, rank: int) -> Verdict:
    """A sharding without axis names: one device, GSPMD's, pmap's."""
    devices = sharding.num_devices if hasattr(sharding, "num_devices") else len(sharding.device_set)
    if devices == 1:
        return _compare_whole(wanted, "an array on one device", mesh)
    if sharding.is_fully_replicated:
        return _compare_whole(wanted, f"copies on {devices} devices", mesh)
    kind = type(sharding).__name__
    if isinstance(mesh, jax.sharding.Mesh) and not _Split(wanted, mesh).strange():
        expected = NamedSharding(mesh, _spec(*wanted))
        if sharding.is_equivalent_to(expected, rank):
            return MATCH
        return Verdict("mismatch", show(wanted), f"a {kind} that differs")
    return Verdict("unknown", show(wanted), f"a {kind} has no axis names, and no mesh is given")


def _compare_whole(wanted: Names, actual: str, mesh: Any) -> Verdict:
    """An array that is whole on each of its devices."""
    split = _Split(wanted, mesh)
    if not any(axes_of(entry) for entry in wanted):
        return MATCH
    if mesh is not None and split.strange():
        known = [n for entry in wanted for n in axes_of(entry) if n in split.sizes()]
        if all(split.sizes()[name] == 1 for name in known):
            return split.verdict()
    elif mesh is not None and not any(split.visible(entry) for entry in wanted):
        return MATCH
    return Verdict("mismatch", show(wanted), actual)


# -- Guards: the same questions, asked again by the fast path ------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of a leaf, and the answer: calling it asks again.

    Equal questions are one object, so that the fast path can treat like leaves alike.

    Attributes:
      about: ``names`` in metadata, the ``placement`` of the value, or the ``partition`` it is.
      names: as declared, None for the metadata's own.
      rules: of a `Placed`.
      given: see `compare_names`.
      rank: of the array for which a partition stands.
      answer: of the first time.
    """

    about: Literal["names", "placement", "partition"]
    names: Names | None
    rules: Rules | None
    given: bool
    rank: int | None
    answer: Verdict

    def __call__(self, leaf: Any) -> bool:
        """Whether the answer is still the same."""
        return ask(self.about, leaf, self.names, self.rules, self.given, self.rank) == self.answer


@lru_cache(maxsize=4096)
def question(
    about: Literal["names", "placement", "partition"],
    names: Names | None,
    rules: Rules | None,
    given: bool,
    rank: int | None,
    answer: Verdict,
) -> Question:
    """The one question that has these parts."""
    return Question(about, names, rules, given, rank, answer)


def ask(
    about: Literal["names", "placement", "partition"],
    leaf: Any,
    names: Names | None,
    rules: Rules | None = None,
    given: bool = False,
    rank: int | None = None,
) -> Verdict:
    """Asks a leaf, a Variable or a raw one; see `Question`."""
    variable = leaves.is_variable(leaf)
    raw = leaves.raw_value(leaf) if variable else leaf
    if about == "partition":
        return compare_partition(raw, names, rank)
    metadata: Mapping[str, Any] = leaves.metadata_of(leaf) if variable else {}
    if about == "names":
        found = leaves.declared_names(metadata)
        assert names is not None
        return compare_names(found, names, len(raw.shape) if hasattr(raw, "shape") else None, given)
    declared = leaves.declared_names(metadata) if names is None else names
    if declared is None or not hasattr(raw, "shape"):
        return MATCH
    return compare_placement(raw, declared, rules, metadata)
