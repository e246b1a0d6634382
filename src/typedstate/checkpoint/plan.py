"""The plan of a restore: the arrays to read, and the differences that were allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import jax
import numpy as np

from .._compat.variables import is_variable, leaves_of, mapping_of, raw_value
from .._spec.describe import describe
from ..errors import StateTypeError
from ..report import Report, Violation, show_path
from .alignment import Alignment
from .declared import dtype_fits, only_dtype
from .libraries import is_list_or_tuple, shaped
from .slots import Slot, rewrap
from .stored import Path, StoredLeaf, nested
from .verifying import Verdict

_IN_MODEL: Final = "it may be absent, but the given model has it"


@dataclass(slots=True)
class Plan:
    """The arrays to read, and how each differs from its declaration.

    Attributes:
      like: the tree to make, with abstract values.
      slots: the stored arrays to read.
      cast: the stored dtype of each array that is cast, by path as text.
      filled: path and leaf of each value that the checkpoint lacks and `fill` has, by path as
        text.
      left_out: paths, as text, of the stored arrays that are not read.
    """

    like: Any
    slots: list[Slot]
    cast: dict[str, str]
    filled: dict[str, Any]
    left_out: list[str]


def plan_of(
    verdict: Verdict,
    may: frozenset[str],
    fill: Any,
    into: Any,
    dims: Mapping[str, int] | None,
    dtype: Any,
) -> Plan:
    """Makes the plan of a restore, if all violations are allowed.

    Args:
      verdict: the verdict on the checkpoint.
      may: the codes of the violations that are allowed.
      fill: a nested tree with the values that the checkpoint lacks; None without one.
      into: the nested tree of the module that gets the values; None without one.
      dims: sizes of the hint's outermost names.
      dtype: the dtype to cast to, for leaves whose declaration allows several.

    Raises:
      StateTypeError: a violation is not allowed.
    """
    report, alignment = _beside(verdict, into if fill is None else fill), verdict.alignment
    plan = Plan(alignment.kinded, list(alignment.slots), {}, {}, [])
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
            plan.filled |= {show_path(path): (path, leaf) for path, leaf in leaves_of(given, keys)}
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


def _beside(verdict: Verdict, model: Any) -> Report:
    """Adds a violation for each optional leaf that the model has and the checkpoint lacks.

    Training that resumes without such a leaf would begin anew there, and nobody would be told.
    """
    report = verdict.report
    if model is None:
        return report
    leaves = (
        (path, StoredLeaf(path, tuple(value.shape), value.dtype))
        for path, value in leaves_of(_plain(model))
        if hasattr(value, "shape") and hasattr(value, "dtype")
    )
    declared = Alignment.of(nested(leaves), verdict.declared.spec).slots
    found = {slot.leaf for slot in verdict.alignment.slots}
    named = [violation.keys for violation in report.violations]
    gone = [
        Violation(show_path(slot.leaf), "missing", describe(slot.spec), "", _IN_MODEL, slot.leaf)
        for slot in declared
        if slot.spec is not None
        and slot.leaf not in found
        and not any(slot.leaf[: len(keys)] == keys for keys in named)
    ]
    return replace(report, violations=(*report.violations, *dict.fromkeys(gone)))


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
    """The tree without its Variables: each gives its value."""
    mapping = mapping_of(tree)
    if mapping is not None:
        return {key: _plain(item) for key, item in mapping.items()}
    value = raw_value(tree) if is_variable(tree) else tree
    return jax.tree.map(_abstract, value)


def _abstract(value: Any) -> Any:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return shaped(value.shape, value.dtype)
    return value


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        mapping = mapping_of(tree)
        if mapping is None or key not in mapping:
            return None
        tree = mapping[key]
    return tree


def _with(tree: Any, path: Path, value: Any) -> Any:
    """A copy of the tree with another value at one path."""
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
