"""Compares declared axis names with the metadata and the placement of a leaf.

The walk calls `ask` for each leaf and keeps a `Question`, which the fast path asks again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec
from jax.sharding import NamedSharding

from .._compat import axis_rules, variables
from .._compat.storage import ANYWHERE, Storage, sums_of
from .axis_names import (
    Names,
    Rules,
    all_axes,
    axes_of,
    lacking,
    problems,
    resolve,
    resolve_storage,
    room,
    show_names,
    spellings,
    spread,
    whole,
)
from .outcome import MATCH, Outcome, Wanted, joined
from .placement import compare_memory, compare_placement

_NO_RULES_NOTE: Final = "no rules in the context: the names stand for themselves"
_RULES_NOTE: Final = "logical names: no rules have been applied to them"


@lru_cache(maxsize=4096)
def compare_names(
    found: Names | None,
    wanted: Names,
    rank: int | None,
    given: bool,
    stacked: tuple[int, ...] = (),
    sums: tuple[Storage | None, Storage] = (None, ANYWHERE),
) -> Outcome:
    """Compares the names in a Variable's metadata with the declared ones.

    Args:
      found: in the metadata, None where it has none.
      wanted: as declared.
      rank: of the array, None where it is no array.
      given: they are declared by dims: metadata without names is as good.
      stacked: the axes without a name that metadata may leave out.
      sums: in the metadata, None where it can't say; and as declared.
    """
    there, declared = sums
    spread_out = spread(wanted, rank)
    expected = axis_rules.axis_names(spread_out)
    if found is None and (given or not (expected or declared != ANYWHERE)):
        return MATCH
    if there is None or there == declared:
        if found == expected:
            return MATCH
        shorter = spellings(spread_out, stacked, rank) if stacked else ()
        if any(found == axis_rules.axis_names(one) for one in shorter):
            return MATCH
    actual = "no names in its metadata" if found is None else show_names(found, there or ANYWHERE)
    return Outcome("mismatch", show_names(expected, declared), actual)


def compare_partition(
    found: Any,
    names: Names | None,
    rank: int | None,
    rules: Rules | None,
    own: Any,
    storage: Storage = ANYWHERE,
) -> Outcome:
    """Compares a PartitionSpec or NamedSharding with declared names.

    Names are resolved by `rules` or those of the context, and by `own`, those of the Variable
    that holds it; without any they stand for themselves, as ``nnx.get_partition_spec`` has it. A
    name that the mesh doesn't have is unknown.
    """
    spec = found.spec if isinstance(found, NamedSharding) else found
    mesh = found.mesh if isinstance(found, NamedSharding) else axis_rules.context_mesh()
    actual, there = axis_rules.axis_names(spec), sums_of(spec)
    if rank is not None and len(actual) > rank:
        return Outcome("mismatch", room(rank), show_names(actual, there))
    memory = compare_memory(found, storage) if isinstance(found, NamedSharding) else MATCH
    declared = spread(names or (), rank)
    if names is None or ... in declared:
        return memory
    try:
        resolved = resolve(declared, rules, own)
        sums = resolve_storage(storage.sums, rules, own)
    except ValueError as error:
        shown = show_names(declared, storage), show_names(actual, there)
        return Outcome("mismatch", *shown, str(error))
    wanted = Wanted(resolved, mesh, storage=sums)
    if lost := lacking(mesh, declared, resolved):
        return Outcome("mismatch", wanted.text, show_names(actual, there), lost)
    if wanted.sums_differ(there) and not wanted.differs(actual):
        return Outcome("mismatch", wanted.text, show_names(actual, there))
    if actual != resolved and wanted.differs(actual):
        note = _partition_note(axis_rules.axis_names(declared), resolved, actual, mesh)
        return Outcome("mismatch", wanted.text, show_names(actual, there), note)
    as_said = actual == resolved and sums in (ANYWHERE, there)
    return joined(MATCH if as_said else wanted.verdict(), memory)


def _partition_note(declared: Names, resolved: Names, actual: Names, mesh: Any) -> str:
    """Whether rules were forgotten, here or by who made the partition."""
    if actual == declared:
        return _RULES_NOTE
    there = all_axes(actual)
    strangers = bool(there) and there.isdisjoint(all_axes(resolved))
    return _NO_RULES_NOTE if mesh is None and resolved == declared and strangers else ""


def in_metadata(
    metadata: Mapping[str, Any], stacked: tuple[int, ...], rank: int | None
) -> Names | None:
    """The names of every axis in a Variable's metadata; None if it has none."""
    if not stacked or rank is None:
        return axis_rules.declared_names(metadata)
    written = axis_rules.written_names(metadata)
    return None if written is None else axis_rules.axis_names(whole(written, stacked, rank))


def misfits(leaf: Any, rank: int) -> list[tuple[str, str]]:
    """Faults of a partition itself: too many names, a mesh axis named twice."""
    partition = _partition_of(leaf)
    names = axis_rules.axis_names(partition)
    return list(problems(names, (None,) * rank, None, sums_of(partition)))


def divisors(leaf: Any) -> tuple[tuple[int, int, str], ...]:
    """Axis, number of parts and mesh axes of each axis that a partition splits on its mesh."""
    partition = _partition_of(leaf)
    mesh = partition.mesh if isinstance(partition, NamedSharding) else axis_rules.context_mesh()
    if mesh is None:
        return ()
    found: list[tuple[int, int, str]] = []
    for axis, entry in enumerate(axis_rules.axis_names(partition)):
        names = [name for name in axes_of(entry) if name in mesh.shape]
        parts = math.prod(mesh.shape[name] for name in names)
        if parts > 1:
            text = "*".join(f"{name}={mesh.shape[name]}" for name in names)
            found.append((axis, parts, text))
    return tuple(found)


def _partition_of(leaf: Any) -> Any:
    return variables.raw_value(leaf) if variables.is_variable(leaf) else leaf


# -- Guards: the same questions, asked again by the fast path ------------------------------------


class Question(msgspec.Struct, frozen=True):
    """A question about a leaf with its answer; calling it asks again.

    Equal questions are one object, so that the fast path can treat like leaves alike.

    Attributes:
      about: the ``names`` in metadata, the ``placement`` of the value, or, for a value that is
        a partition, the ``partition``.
      names: the declared names; None for those of the metadata.
      rules: the rules of a `Placed`; None without one.
      given: see `compare_names`.
      rank: the rank of the array that a partition is for; None if it is not known.
      stacked: the axes without a name that metadata may leave out.
      storage: what is declared beside names.
      answer: of the first time.
    """

    about: Literal["names", "placement", "partition"]
    names: Names | None
    rules: Rules | None
    given: bool
    rank: int | None
    stacked: tuple[int, ...]
    storage: Storage
    answer: Outcome

    def __call__(self, leaf: Any) -> bool:
        """Whether the answer is still the same."""
        about, names, rules = self.about, self.names, self.rules
        again = ask(about, leaf, names, rules, self.given, self.rank, self.stacked, self.storage)
        return again == self.answer


@lru_cache(maxsize=4096)
def question(
    about: Literal["names", "placement", "partition"],
    names: Names | None,
    rules: Rules | None,
    given: bool,
    rank: int | None,
    stacked: tuple[int, ...],
    storage: Storage,
    answer: Outcome,
) -> Question:
    """The one question that has these parts."""
    return Question(about, names, rules, given, rank, stacked, storage, answer)


def ask(
    about: Literal["names", "placement", "partition"],
    leaf: Any,
    names: Names | None,
    rules: Rules | None = None,
    given: bool = False,
    rank: int | None = None,
    stacked: tuple[int, ...] = (),
    storage: Storage = ANYWHERE,
) -> Outcome:
    """Asks a leaf, a Variable or a raw one; see `Question`."""
    variable = variables.is_variable(leaf)
    raw = variables.raw_value(leaf) if variable else leaf
    metadata: Mapping[str, Any] = variables.metadata_of(leaf) if variable else {}
    if about == "partition":
        own = metadata.get("sharding_rules")
        return compare_partition(raw, names, rank, rules, own, storage)
    if about == "names":
        found = axis_rules.declared_names(metadata)
        assert names is not None
        of = len(raw.shape) if hasattr(raw, "shape") else None
        both = (axis_rules.written_sums(metadata), storage.sums)
        return compare_names(found, names, of, given, stacked, both)
    if not hasattr(raw, "shape"):
        return MATCH
    declared = in_metadata(metadata, stacked, len(raw.shape)) if names is None else names
    memory = compare_memory(raw, storage)
    if declared is None:
        return memory
    sums = storage if names is not None else axis_rules.written_sums(metadata) or ANYWHERE
    return joined(compare_placement(raw, declared, rules, metadata, sums), memory)
