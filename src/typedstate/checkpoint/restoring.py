"""`restore`: reads a checkpoint into the declared tree, or raises the report of `verify`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar, cast

from typing_extensions import TypeForm

from .._compat.modules import is_module, module_tree
from .._compat.variables import is_variable, raw_value
from ..boundaries.nnx_functions import update
from ..checking import check
from ..derive.trees import abstract
from ..report import Report
from .building import as_declared, replaced, values_of
from .errors import AnyPath
from .inspecting import inspect
from .libraries import jax_
from .migrating import Moved, bases, value_of
from .plan import Plan, plan_of
from .reading import as_it_is, as_stored, read_arrays
from .stored import Checkpoint, Path, StoredLeaf
from .verifying import judge, migrated

T = TypeVar("T")
Allowed = Literal["dtype", "missing", "extra"]

_MAY_DIFFER: Final = frozenset(("dtype", "missing", "extra"))


@dataclass(frozen=True, slots=True)
class Restored(Generic[T]):
    """A restored state, and the differences that were allowed.

    Attributes:
      state: the state; it fits the hint.
      cast: the stored dtype of each array that was cast, by path as text.
      filled: paths, as text, of the values that the checkpoint lacks and ``fill`` gave.
      left_out: paths, as text, of the stored arrays that are not declared and were not read.
      report: the report of `verify`.
      checkpoint: the checkpoint that was read.
    """

    state: T
    cast: Mapping[str, str]
    filled: tuple[str, ...]
    left_out: tuple[str, ...]
    report: Report
    checkpoint: Checkpoint

    def __str__(self) -> str:
        """One line for each sort of difference."""
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

    Kinds, int keys, PRNG keys, dtypes and shardings are as declared; each array is read directly
    to its devices. No array is read before `verify` has found that the checkpoint fits.

    Args:
      path: a checkpoint, see `inspect`.
      hint: a schema or a form of one.
      dims: sizes of the hint's outermost names.
      mesh: the mesh on which arrays lie by their declared axis names; without, on one device.
      rules: for logical axis names, as in ``typedstate.abstract``.
      dtype: the dtype to cast to, for leaves whose declaration allows several and not the stored
        one. Of several dtypes, each leaf takes the first that fits it.
      allow: the differences to accept: ``"dtype"`` casts, ``"missing"`` takes the value from
        `fill`, ``"extra"`` leaves the stored array out.
      fill: a state or module with the values that the checkpoint lacks. The restored Variables
        get the metadata of its Variables, as no format keeps it. An optional leaf that it has
        must be in the checkpoint too.
      into: a module that gets the restored values in place, once all of them fit. Without
        `fill`, an optional leaf that the module has must be in the checkpoint too.
      migrate: whether the tree of an older Flax, or of the scanned or unscanned twin of the
        model, is turned into the declared one, see ``migrate``.
      step: the step to read in a CheckpointManager's folder; without, the newest.
      item: the name of one item, where a checkpoint has several.
      key_impl: the PRNG implementation of keys, for a checkpoint that does not name it.

    Raises:
      StateTypeError: the checkpoint does not fit; the error has the report.
      CheckpointError: the checkpoint can't be read.
      SchemaError: the hint means nothing, or it is open which dtype to cast to.
    """
    __tracebackhide__ = True
    may = frozenset(allow)
    if unknown := may - _MAY_DIFFER:
        raise ValueError(f"allow={set(unknown)}: only {', '.join(sorted(_MAY_DIFFER))} may differ")
    checkpoint = inspect(path, step=step, item=item)
    verdict = judge(checkpoint, hint, dims, key_impl)
    if migrate:
        verdict = migrated(verdict, dims)
    declared, report = verdict.declared, verdict.report
    given = declared.nested(_tree_of(fill)), declared.nested(_tree_of(into))
    plan = plan_of(verdict, may, *given, dims, dtype)
    target: Any = cast(Any, abstract)(
        declared.hint, mesh=mesh, rules=rules, dtype=dtype, like=plan.like, dims=dims
    )
    models = given[0] if into is None else given[1]
    nested = _made(checkpoint, plan, declared.nested(target), models)
    state = cast(T, declared.flat(nested))
    check(state, declared.hint, dims=dims)
    if into is not None:
        update(into, nested)
    return Restored(state, plan.cast, tuple(plan.filled), tuple(plan.left_out), report, checkpoint)


def _tree_of(given: Any) -> Any:
    return module_tree(given).mapping if given is not None and is_module(given) else given


def _made(checkpoint: Checkpoint, plan: Plan, target: Any, models: Any) -> Any:
    """The target with arrays in the place of its abstract values.

    Args:
      checkpoint: the checkpoint to read.
      plan: its leaves to read, and the values to fill in.
      target: an abstract tree.
      models: a tree whose Variables give their metadata; None without one.
    """
    wanted = {slot.path: slot for slot in plan.slots}
    targets = dict(values_of(target))
    reading: dict[Path, tuple[StoredLeaf, Any]] = {}
    for path, slot in wanted.items():
        if path in targets and isinstance(slot.stored, Moved):
            reading |= {leaf.path: (leaf, as_it_is(leaf)) for leaf in bases(slot.stored)}
        elif path in targets:
            reading[slot.stored.path] = slot.stored, as_stored(slot, targets[path])
    read = read_arrays(checkpoint, reading)
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
