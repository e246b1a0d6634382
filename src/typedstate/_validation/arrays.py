"""Compares one array with its spec: class, dtype, shape, names and placement, validators.

The walk calls these for the value of a leaf; what they see goes into its findings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import jax
import numpy as np

from .._compat import fast_reads, variables
from .._sharding import compare
from .._sharding.outcome import Outcome
from .._sharding.shard_map import is_shard
from .._spec import dims
from .._spec.describe import class_name, show_dims
from .._spec.dim_grammar import show_dim
from .._spec.dims import Dim, Name, SingleDim, VariadicDim
from .._spec.dtypes import has_dtype
from .._spec.leaf_conditions import PlacedSpec, Predicate
from .._spec.nodes import Array, Leaf, Partition
from ..report import Path, Unknown, show_path
from . import guards, suggestions
from .causes import Note, misplaced, of_a_stack
from .dim_binding import SeenSize
from .findings import Findings, SizedDim, Split
from .scopes import Scope
from .show_value import describe_value
from .trace import Guard

#: Of these, the class of a value decides.
_ARRAY_CLASSES: Final = frozenset[type]({jax.Array, np.ndarray})
#: What JAX raises where the values of a tracer are read.
_READ_OF_A_TRACER: Final = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)
#: Said of sizes that do not agree where shard_map shows one shard of each array.
_OF_A_SHARD: Final = "of one shard: Placed[...] compares whole arrays"


def see_array(found: Findings, value: Any, spec: Array, path: Path, scope: Scope) -> None:
    """Class, dtype and shape of an array."""
    see_deleted(found, value, path)
    count = len(found.part.violations)
    sized = _fitted(found, value, spec, path)
    aval = variables.aval_of(value)
    if aval is not None and len(found.part.violations) == count:
        found.sized[id(spec), aval] = spec, sized
    see_sizes(found, sized, path, scope)


def see_deleted(found: Findings, value: Any, path: Path) -> None:
    """An array of which only shape and dtype are left: of no use to anyone."""
    if variables.is_deleted(value):
        found.add(path, "array", *suggestions.DELETED)


def see_sizes(found: Findings, sized: tuple[SizedDim, ...], path: Path, scope: Scope) -> None:
    """The sizes of an array that fits but for them."""
    own = None
    for dim, axis, size, name in sized:
        if name is not None and found.shards is None:
            expr = scope.lookup(name)
            seen = SeenSize(expr, size, dim, found.root, path, axis, found.order)
            seen.depth = found.depth
            found.part.seen.append(seen)
            continue
        if dim.per_leaf:
            own = own or found.new_scope()
        of = own if own and dim.per_leaf else scope
        if isinstance(dim, VariadicDim):
            _see_run(found, dim, size, of, path, axis)
        else:
            _see(found, dim, size, of, path, axis)


def _fitted(found: Findings, value: Any, spec: Array, path: Path) -> tuple[SizedDim, ...]:
    """Looks at class, dtype and rank; returns the dims that say something of a size."""
    if variables.is_variable(value):
        note = suggestions.value_note(value)
        found.add(path, "array", found.describe(spec), describe_value(value), note)
        return ()
    if not _is_of_array_class(found, value, spec, path) or not _is_shaped(found, value, path):
        note = suggestions.array_note(value, spec)
        found.add(path, "array", found.describe(spec), describe_value(value), note)
        return ()
    if spec.dtypes is not None and not has_dtype(value.dtype, spec.dtypes):
        note = suggestions.dtype_note(spec.dtype, value)
        found.add(path, "dtype", f"dtype {spec.dtype}", describe_value(value), note)
    if spec.shape is None:
        return ()
    shape = tuple(value.shape)
    sized = _sized(shape, spec)
    if sized is None:
        _see_rank(found, shape, spec, path)
        return ()
    return tuple(SizedDim(dim, axis, size, _name(dim, size)) for dim, axis, size in sized)


def _sized(shape: tuple[Any, ...], spec: Array) -> list[tuple[Dim, Any, Any]] | None:
    """Each dim with its axis and size in an array of this shape; None for another rank."""
    wanted = spec.shape or ()
    found: list[tuple[Dim, Any, Any]] = []
    places = list(range(len(shape)))
    for index, inserted in reversed(spec.inserted):
        if not -len(places) <= index < len(places):
            return None
        axis = places.pop(index)
        found.append((inserted, axis, shape[axis]))
    run = next((index for index, dim in enumerate(wanted) if isinstance(dim, VariadicDim)), None)
    if len(places) != len(wanted) and (run is None or len(places) < len(wanted) - 1):
        return None
    skip = 0
    for index, dim in enumerate(wanted):
        if isinstance(dim, VariadicDim):
            skip = len(places) - len(wanted)
            axes = tuple(places[index : index + skip + 1])
            found.append((dim, axes, tuple(shape[axis] for axis in axes)))
        else:
            axis = places[index + skip]
            found.append((dim, axis, shape[axis]))
    return [item for item in found if _says_a_size(item[0])]


def _says_a_size(dim: Dim) -> bool:
    return dim.name is not None if isinstance(dim, VariadicDim) else dim.expr is not None


def _name(dim: Dim, size: Any) -> str | None:
    if isinstance(dim, VariadicDim) or dim.per_leaf or type(size) is not int:
        return None
    return dim.expr.name if isinstance(dim.expr, Name) else None


def _see_rank(found: Findings, shape: tuple[Any, ...], spec: Array, path: Path) -> None:
    dims_ = spec.shape or ()
    runs = sum(isinstance(dim, VariadicDim) for dim in dims_)
    count = len(dims_) + len(spec.inserted) - runs
    expected = f'rank {"at least " if runs else ""}{count} ("{show_dims(spec)}")'
    stacked = Note()
    if path and not runs and not spec.inserted:
        stacked = Note(cause=of_a_stack(shape, tuple(map(show_dim, dims_))))
    found.add(path, "rank", expected, f"shape {shape}", stacked)


def _see(found: Findings, dim: SingleDim, size: Any, scope: Scope, path: Path, axis: int) -> None:
    assert dim.expr is not None
    if type(size) is not int and not isinstance(size, int):  # a symbolic size of jax.export
        where = show_path(path, found.root)
        found.part.unknown.append(Unknown(where, f"axis {axis} is symbolic"))
        return
    expr = scope.expand(dim.expr)
    note = ""
    if found.shards is not None:
        size, note = _whole(found, size, axis, dim.broadcast)
    seen = SeenSize(expr, size, dim, found.root, path, axis, found.order, note, found.depth)
    found.part.seen.append(seen)


def _see_run(
    found: Findings,
    dim: VariadicDim,
    sizes: tuple[Any, ...],
    scope: Scope,
    path: Path,
    axes: tuple[int, ...],
) -> None:
    if dim.name is None or not all(isinstance(size, int) for size in sizes):
        return
    expr = scope.lookup(dim.name)
    note = ""
    if found.shards is not None:
        pairs = zip(sizes, axes, strict=True)
        each = [_whole(found, size, axis, dim.broadcast) for size, axis in pairs]
        sizes, note = tuple(size for size, _ in each), next((text for _, text in each if text), "")
    seen = SeenSize(expr, sizes, dim, found.root, path, axes, found.order, note, found.depth)
    found.part.seen.append(seen)


def _whole(found: Findings, size: int, axis: int, broadcast: bool) -> tuple[int, str]:
    """The size of a whole array's axis of which a shard is seen, and how it was seen."""
    if not found.shards or (broadcast and size == 1):
        return size, _OF_A_SHARD
    parts = found.shards[axis]
    return size * parts, f"{size} in each of {parts} shards" if parts > 1 else ""


def see_names(found: Findings, value: Any, wanted: tuple[Any, ...], spec: Leaf, path: Path) -> None:
    """The axis names in a Variable's metadata."""
    given, stacked, storage = spec.by_dims, spec.stacked, spec.storage
    verdict = compare.ask("names", value, wanted, given=given, stacked=stacked, storage=storage)
    asked = compare.question("names", wanted, None, given, None, stacked, storage, verdict)
    _judge(found, verdict, Guard(path, asked, fast_reads.names_signs(value)))


def shards_of(value: Any, raw: Any, spec: Leaf | None) -> tuple[int, ...] | None:
    """Into how many shards each axis of a leaf is split, where shard_map shows one of them.

    Only `Placed` knows it: empty where nothing says so, None for what is no shard.
    """
    if not variables.is_traced(raw) or not is_shard(raw):
        return None
    if spec is None or spec.placed is None:
        return ()
    names, rules, stacked = spec.names, spec.placed.rules, spec.stacked
    verdict = compare.ask("placement", value, names, rules, stacked=stacked, storage=spec.storage)
    return verdict.shards or (1,) * len(raw.shape)


def see_placement(found: Findings, value: Any, spec: Leaf, placed: PlacedSpec, path: Path) -> None:
    """Compares the sharding of an array with its declared axis names and rules."""
    names, rules, stacked = spec.names, placed.rules, spec.stacked
    verdict = compare.ask("placement", value, names, rules, stacked=stacked, storage=spec.storage)
    asked = compare.question("placement", names, rules, False, None, stacked, spec.storage, verdict)
    known = variables.is_variable(value) and not callable(placed.rules)
    _judge(found, verdict, Guard(path, asked, fast_reads.placement_signs(value) if known else None))


def is_as_named(value: Any, placed: PlacedSpec) -> bool:
    """Whether an array is where the names in its own metadata put it."""
    return compare.ask("placement", value, None, placed.rules).outcome == "match"


def see_partition(found: Findings, value: Any, spec: Partition, path: Path, scope: Scope) -> None:
    """Compares a PartitionSpec or NamedSharding, also in a Variable, with the array it replaces."""
    held = variables.raw_value(value) if variables.is_variable(value) else value
    if not isinstance(held, spec.cls):
        note = suggestions.value_note(held)
        found.add(path, "array", class_name(spec.cls), describe_value(held), note)
        return
    shape = spec.shape
    fixed = shape is not None and not any(isinstance(dim, VariadicDim) for dim in shape)
    rank = len(shape) if shape is not None and fixed else None
    names, rules, storage = spec.names, spec.rules, spec.storage
    verdict = compare.ask("partition", value, names, rules, rank=rank, storage=storage)
    asked = compare.question("partition", names, rules, False, rank, (), storage, verdict)
    _judge(found, verdict, Guard(path, asked))
    if verdict.outcome != "mismatch" and shape is not None and fixed:
        _splits(found, value, shape, path, scope)


def _splits(found: Findings, value: Any, shape: tuple[Dim, ...], path: Path, scope: Scope) -> None:
    """Names that a mesh has, each once; sizes that its axes divide, once they are known."""
    for expected, actual in compare.misfits(value, len(shape)):
        found.add(path, "sharding", expected, actual)
    for axis, parts, text in compare.divisors(value):
        dim = shape[axis]
        if isinstance(dim, SingleDim) and dim.expr is not None:
            expr = dims.substitute(dim.expr, scope.lookup)
            split = Split(expr, parts, text, found.root, path, axis, found.order)
            found.part.splits.append(split)
    rank, asked = len(shape), (compare.misfits(value, len(shape)), compare.divisors(value))
    found.ask_again(
        path, lambda leaf: (compare.misfits(leaf, rank), compare.divisors(leaf)) == asked
    )


def _judge(found: Findings, verdict: Outcome, guard: Guard) -> None:
    """Records the outcome of a placement, or the reason why it is unknown."""
    path = guard.path
    found.guard(guard)
    if verdict.outcome == "mismatch":
        found.add(path, "sharding", verdict.expected, verdict.actual, misplaced(verdict))
    elif verdict.outcome == "unknown":
        text = f"{verdict.actual} ({verdict.expected})"
        found.part.unknown.append(Unknown(show_path(path, found.root), text))


def ask_predicates(
    found: Findings, leaf: Any, value: Any, predicates: tuple[Predicate, ...], path: Path
) -> None:
    """The validators over a value; guarded code asks them again."""
    for predicate in predicates:
        answer = _answer(predicate, value)
        guard = Guard(path, _predicate_guard(predicate, leaf is not value, answer))
        found.guard(guard)
        if answer is None:
            text = f"{predicate.text} reads values, and here are none"
            found.part.unknown.append(Unknown(show_path(path, found.root), text))
        elif answer is not True:
            actual = f"{answer} from it" if answer else describe_value(leaf)
            found.add(path, "predicate", predicate.text, actual)


def _answer(predicate: Predicate, value: Any) -> bool | str | None:
    """The answer of a predicate: True, False, or the name of the exception that it raised.

    None where it reads the values of an array that is traced or abstract: they are unknown.
    """
    try:
        return bool(predicate.test(value))
    except Exception as error:  # the user's own code, often on a value it can't read
        return None if _has_no_values(value, error) else type(error).__name__


def _has_no_values(value: Any, error: Exception) -> bool:
    """Whether an error says that an array has no values to be read."""
    every: list[Any] = cast(Any, jax).tree.leaves(value)
    if any(isinstance(item, jax.ShapeDtypeStruct) for item in every):
        return True
    return isinstance(error, _READ_OF_A_TRACER) and any(map(variables.is_traced, every))


def _predicate_guard(
    predicate: Predicate, of_variable: bool, answer: bool | str | None
) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        return _answer(predicate, value) == answer

    return guards.OfValue(test) if of_variable else test


def _is_shaped(found: Findings, value: Any, path: Path) -> bool:
    shaped = variables.is_shaped(value)
    found.ask_again(path, guards.shaped_guard(value, shaped))
    return shaped


def _is_of_array_class(found: Findings, value: Any, spec: Array, path: Path) -> bool:
    if spec.abstract:
        return isinstance(value, jax.ShapeDtypeStruct)
    if isinstance(value, jax.ShapeDtypeStruct):
        return spec.cls is not None and issubclass(spec.cls, jax.ShapeDtypeStruct)
    if spec.cls is None:
        return True
    fitting = isinstance(value, spec.cls)
    if spec.cls not in _ARRAY_CLASSES:
        found.ask_again(path, guards.instance_guard(value, spec.cls, fitting))
    if fitting:
        return True
    return issubclass(spec.cls, jax.Array) and variables.stands_for_array(value)
