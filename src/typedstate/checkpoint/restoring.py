"""`restore`: a checkpoint into the declared tree, or a report of why not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, NoReturn, TypeVar, cast

import jax
import numpy as np
from jax.sharding import NamedSharding, SingleDeviceSharding
from typing_extensions import TypeForm

from .._compat.modules import is_module, module_tree
from .._compat.variables import (
    is_variable,
    mapping_of,
    raw_value,
)
from ..boundaries.nnx_functions import update
from ..checking import check
from ..derive.trees import abstract
from ..errors import StateTypeError
from ..report import Report, show_path
from . import msgpack_reader, orbax_reader, safetensors_reader
from .alignment import Slot, rewrap
from .building import as_declared, replaced, values_of
from .declared import dtype_fits, only_dtype
from .errors import AnyPath
from .inspecting import inspect
from .libraries import is_list_or_tuple, jax_, place_of, shaped
from .migrating import Moved, bases, value_of
from .stored import Checkpoint, Path, StoredLeaf
from .verifying import Verdict, judge, migrated

T = TypeVar("T")
Allowed = Literal["dtype", "missing", "extra"]

_MAY_DIFFER: Final = frozenset(("dtype", "missing", "extra"))


@dataclass(frozen=True, slots=True)
class Restored(Generic[T]):
    """A restored state, and what was done to make it fit.

    Attributes:
      state: it fits the hint.
      cast: paths of arrays that were stored in another dtype, with it.
      filled: paths that the checkpoint lacks, taken from ``fill``.
      left_out: stored paths that the hint does not have.
      report: what `verify` says of the checkpoint.
      checkpoint: what it holds.
    """

    state: T
    cast: Mapping[str, str]
    filled: tuple[str, ...]
    left_out: tuple[str, ...]
    report: Report
    checkpoint: Checkpoint

    def __str__(self) -> str:
        """One line per sort of difference."""
        lines = [f"restored {self.report.hint} from {self.checkpoint.path}"]
        if self.cast:
            casts = [f"{path} from {dtype}" for path, dtype in self.cast.items()]
            lines.append(f"  cast: {_some(casts)}")
        if self.filled:
            lines.append(f"  filled from the given state: {_some(self.filled)}")
        if self.left_out:
            lines.append(f"  left out: {_some(self.left_out)}")
        return "\n".join(lines)


def _some(texts: Collection[str], count: int = 5) -> str:
    shown = ", ".join(list(texts)[:count])
    return shown if len(texts) <= count else f"{shown}, and {len(texts) - count} more"


def restore(
    path: AnyPath,
    hint: TypeForm[T],
    *,
    dims: Mapping[str, int] | None = None,
    mesh: Any = None,
    rules: Any = None,
    dtype: Any = None,
    allow: Collection[Allowed] = (),
    fill: Any = None,
    into: Any = None,
    migrate: bool = False,
    step: int | None = None,
    item: str | None = None,
    key_impl: str | None = None,
) -> Restored[T]:
    """Restores a checkpoint into the tree that a schema or form declares.

    Kinds, int keys, PRNG keys, dtypes and shardings are those that the hint says; each array is
    made directly where it belongs. Nothing is read before `verify` has said that it fits.

    Args:
      path: a checkpoint, see `inspect`.
      hint: a schema or a form of one.
      dims: sizes of the hint's outermost names.
      mesh: where given, arrays lie on it by their declared axis names; without, on one device.
      rules: for logical axis names, as in ``typedstate.abstract``.
      dtype: to which a stored dtype that does not fit is cast, where the hint allows several:
        one, or several of which each leaf takes the first that fits.
      allow: what may differ: ``"dtype"`` is cast, ``"missing"`` is taken from `fill`,
        ``"extra"`` is left out.
      fill: a state or module that has what the checkpoint lacks. Metadata of its Variables, which
        no format keeps either, is that of the restored ones.
      into: a module, which gets the restored values in place once all of them fit.
      migrate: a tree of an older Flax, or of the scanned or unscanned twin of the model, is read
        as what the hint declares, see ``migrate``.
      step: of a CheckpointManager's folder; without, the newest.
      item: of a checkpoint with several items.
      key_impl: how PRNG keys were implemented, where the checkpoint does not say.

    Raises:
      StateTypeError: the checkpoint does not fit; the error has the report.
      CheckpointError: it can't be read.
      SchemaError: the hint can mean nothing, or does not say which dtype to cast to.
    """
    __tracebackhide__ = True
    may = frozenset(allow)
    if unknown := may - _MAY_DIFFER:
        raise ValueError(f"allow={set(unknown)}: only {', '.join(sorted(_MAY_DIFFER))} may differ")
    checkpoint = inspect(path, step=step, item=item)
    verdict = judge(checkpoint, hint, dims, key_impl)
    if migrate:
        verdict = migrated(verdict, dims)
    plan = _plan(verdict, may, _tree_of(fill), dims, dtype)
    report = verdict.report
    target: Any = cast(Any, abstract)(
        _hint_of(hint), mesh=mesh, rules=rules, dtype=dtype, like=plan.like, dims=dims
    )
    models = fill if into is None else into
    state = cast(T, _made(checkpoint, plan, target, _tree_of(models)))
    check(state, _hint_of(hint), dims=dims)
    if into is not None:
        update(into, state)
    return Restored(state, plan.cast, tuple(plan.filled), tuple(plan.left_out), report, checkpoint)


def _hint_of(hint: Any) -> Any:
    """Of ``Annotated[Module, S]`` the state that S is."""
    metadata = getattr(hint, "__metadata__", None)
    return metadata[0] if metadata and isinstance(metadata[0], type) else hint


def _tree_of(given: Any) -> Any:
    return module_tree(given).mapping if given is not None and is_module(given) else given


# -- What may differ ----------------------------------------------------------------------


@dataclass(slots=True)
class _Plan:
    """What will be read, and what becomes of it."""

    like: Any
    slots: list[Slot]
    cast: dict[str, str]
    filled: dict[str, Any]
    left_out: list[str]


def _plan(
    verdict: Verdict,
    may: frozenset[str],
    fill: Any,
    dims: Mapping[str, int] | None,
    dtype: Any,
) -> _Plan:
    report, alignment = verdict.report, verdict.alignment
    plan = _Plan(alignment.kinded, list(alignment.slots), {}, {}, [])
    if report:
        return plan
    refused = [violation for violation in report.violations if violation.code not in may]
    lacking = [violation.keys for violation in report.violations if violation.code == "missing"]
    if refused or (lacking and fill is None):
        _refuse(verdict, report, "" if refused else "fill= gives what is missing")
    tree, kinded = alignment.tree, alignment.kinded
    for violation in report.violations:
        keys = violation.keys
        if violation.code == "extra":
            tree, kinded = _without(tree, keys), _without(kinded, keys)
            gone = [slot for slot in plan.slots if slot.path[: len(keys)] == keys]
            plan.slots = [slot for slot in plan.slots if slot not in gone]
            plan.left_out += [show_path(slot.stored.path) for slot in gone]
        elif violation.code == "missing":
            given = _at(fill, keys)
            if given is None:
                _refuse(verdict, report, f"fill= has no {violation.path} either")
            tree, kinded = _with(tree, keys, _plain(given)), _with(kinded, keys, given)
            plan.filled |= {show_path(path): (path, leaf) for path, leaf in _flat(given, keys)}
        else:
            slot = next((slot for slot in plan.slots if slot.path == keys), None)
            wanted = None if slot is None else _wanted_dtype(slot, _at(fill, keys), dtype)
            if slot is None or wanted is None:
                _refuse(verdict, report, f"dtype= says to what {violation.path} is cast")
            made = shaped(slot.stored.shape, wanted)
            tree = _with(tree, keys, made)
            kinded = _recast(kinded, slot, made)
            plan.cast[violation.path] = str(slot.stored.dtype)
    again = verdict.declared.judge(tree, dims)
    if not again:
        _refuse(verdict, again, "")
    plan.like = kinded
    return plan


def _refuse(verdict: Verdict, report: Report, advice: str) -> NoReturn:
    text = f"{verdict.checkpoint.path} {report}"
    raise StateTypeError(f"{text}\n  {advice}" if advice else text, report)


def _wanted_dtype(slot: Slot, given: Any, dtype: Any) -> Any:
    like = raw_value(given) if is_variable(given) else given
    candidates: list[Any] = [like.dtype] if hasattr(like, "dtype") else []
    if dtype is not None:
        given_dtypes = dtype if is_list_or_tuple(dtype) else [dtype]
        candidates += [np.dtype(one) for one in given_dtypes]
    only = only_dtype(slot.dtypes)
    candidates += [] if only is None else [only]
    return next((one for one in candidates if dtype_fits(one, slot.dtypes)), None)


def _recast(kinded: Any, slot: Slot, made: Any) -> Any:
    return _with(kinded, slot.leaf, rewrap(_at(kinded, slot.leaf), slot, made))


def _plain(tree: Any) -> Any:
    """Abstract values in the place of Variables."""
    mapping = mapping_of(tree)
    if mapping is not None:
        return {key: _plain(item) for key, item in mapping.items()}
    value = raw_value(tree) if is_variable(tree) else tree
    return jax.tree.map(_abstract, value)


def _abstract(value: Any) -> Any:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return shaped(value.shape, value.dtype)
    return value


def _flat(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    mapping = mapping_of(tree)
    if mapping is None:
        yield path, tree
        return
    for key, item in mapping.items():
        yield from _flat(item, (*path, key))


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        mapping = mapping_of(tree)
        if mapping is None or key not in mapping:
            return None
        tree = mapping[key]
    return tree


def _with(tree: Any, path: Path, value: Any) -> Any:
    """The same tree with something else at one place; the tree itself stays as it was."""
    if not path:
        return value
    mapping = dict(mapping_of(tree) or {})
    mapping[path[0]] = _with(mapping.get(path[0], {}), path[1:], value)
    return mapping


def _without(tree: Any, path: Path) -> Any:
    mapping = dict(mapping_of(tree) or {})
    if len(path) == 1:
        mapping.pop(path[0], None)
    elif path[0] in mapping:
        mapping[path[0]] = _without(mapping[path[0]], path[1:])
        if mapping[path[0]] == {}:
            del mapping[path[0]]
    return mapping


# -- Reading -------------------------------------------------------------------------------


def _made(checkpoint: Checkpoint, plan: _Plan, target: Any, models: Any) -> Any:
    """The target with arrays in the place of its abstract ones.

    Args:
      checkpoint: what is read.
      plan: which of its leaves, and what else.
      target: an abstract tree.
      models: a tree whose Variables lend their metadata; None without one.
    """
    wanted = {slot.path: slot for slot in plan.slots}
    targets = dict(values_of(target))
    reading: dict[Path, tuple[StoredLeaf, Any]] = {}
    for path, slot in wanted.items():
        if path in targets and isinstance(slot.stored, Moved):
            reading |= {leaf.path: (leaf, _as_it_is(leaf)) for leaf in bases(slot.stored)}
        elif path in targets:
            reading[slot.stored.path] = slot.stored, _as_stored(slot, targets[path])
    read = _READERS[checkpoint.format](checkpoint, reading)
    arrays: dict[Path, Any] = {}
    for path, slot in wanted.items():
        if path in targets and isinstance(slot.stored, Moved):
            whole = value_of(slot.stored, read)
            arrays[path] = _moved(as_declared(slot, whole), targets[path])
        elif path in targets:
            arrays[path] = as_declared(slot, read.pop(slot.stored.path))
    filled = dict(plan.filled.values())

    def leaf_at(path: Path, leaf: Any) -> Any:
        if path in arrays:
            return arrays[path]
        variable = _closest(filled, path)
        return leaf if variable is None else _moved(variable, leaf)

    return replaced(target, models, (), leaf_at)


def _closest(filled: Mapping[Path, Any], path: Path) -> Any:
    found = filled.get(path)
    if found is None:
        return None
    return raw_value(found) if is_variable(found) else found


def _moved(value: Any, leaf: Any) -> Any:
    sharding = getattr(leaf, "sharding", None)
    if hasattr(leaf, "dtype") and value.dtype != leaf.dtype:
        value = value.astype(leaf.dtype)
    return value if sharding is None else jax_.device_put(value, sharding)


def _as_stored(slot: Slot, target: Any) -> Any:
    """What to read for a leaf: of PRNG keys the numbers."""
    if slot.stored.dtype is None:
        return None
    sharding = getattr(target, "sharding", None) or SingleDeviceSharding(jax_.devices()[0])
    dtype = getattr(target, "dtype", slot.stored.dtype)
    if slot.implementation is not None:
        dtype = np.dtype(np.uint32)
        if isinstance(sharding, NamedSharding):
            names = (*sharding.spec, *[None] * (len(slot.stored.shape) - 1 - len(sharding.spec)))
            sharding = NamedSharding(sharding.mesh, jax_.sharding.PartitionSpec(*names, None))
    return shaped(slot.stored.shape, dtype, sharding)


def _as_it_is(leaf: StoredLeaf) -> Any:
    """What to read for a leaf that is taken apart or stacked with others afterwards."""
    return shaped(leaf.shape, leaf.dtype, SingleDeviceSharding(jax_.devices()[0]))


_Reading = Mapping[Path, tuple[StoredLeaf, Any]]


def _from_orbax(checkpoint: Checkpoint, reading: _Reading) -> dict[Path, Any]:
    wanted = {
        path: (target, leaf.what == "array")
        for path, (leaf, target) in reading.items()
        if leaf.what != "empty"
    }
    found = orbax_reader.read_arrays(place_of(checkpoint.location), wanted)
    empty = {path: None for path, (leaf, _) in reading.items() if leaf.what == "empty"}
    return found | empty


def _from_safetensors(checkpoint: Checkpoint, reading: _Reading) -> dict[Path, Any]:
    leaves = [leaf for leaf, _ in reading.values()]
    found: dict[Path, Any] = {}
    for leaf, value in safetensors_reader.tensors(checkpoint, leaves):
        found[leaf.path] = placed(value, reading[leaf.path][1])
    return found


def _from_msgpack(checkpoint: Checkpoint, reading: _Reading) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    for path, value in msgpack_reader.arrays(place_of(checkpoint.location), list(reading)):
        target = reading[path][1]
        found[path] = value if target is None else placed(value, target)
    return found


def placed(value: Any, target: Any) -> Any:
    """A numpy array where it belongs: each device gets its part, cast on the way."""
    array = np.asarray(value)
    sharding = target.sharding or SingleDeviceSharding(jax_.devices()[0])

    def part(index: Any) -> Any:
        return array[index].astype(target.dtype, copy=False)

    return jax_.make_array_from_callback(target.shape, sharding, part)


_READERS: Final[Mapping[str, Callable[[Checkpoint, _Reading], dict[Path, Any]]]] = {
    "orbax": _from_orbax,
    "safetensors": _from_safetensors,
    "msgpack": _from_msgpack,
}
