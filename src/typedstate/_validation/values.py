"""Walks values in leaves and at boundaries: arrays, numbers, and containers of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never, cast

from .._compat import scalars, variables
from .._spec.describe import class_name, describe
from .._spec.node_groups import StateSpec
from .._spec.nodes import (
    Anything,
    Array,
    Instance,
    ItemsOf,
    Literally,
    MappingOf,
    NoValue,
    Partition,
    RecordOf,
    Spec,
    TupleOf,
    Union,
    Validated,
)
from ..report import Path, show_key
from . import arrays, guards, suggestions
from .scopes import Scope
from .show_value import describe_value
from .trace import Guard, Trace
from .walker import Walker


def see_value(
    walk: Walker, value: Any, spec: Spec, path: Path, scope: Scope, outermost: bool = False
) -> None:
    """Walks the value of a Variable, or a value that is no state."""
    match spec:
        case Array():
            arrays.see_array(walk.found, value, spec, path, scope)
        case Anything():
            return
        case Partition() if variables.is_variable(value):  # it stands for a Variable, in no other
            note = suggestions.value_note(value)
            walk.found.add(path, "array", class_name(spec.cls), describe_value(value), note)
        case Partition():
            arrays.see_partition(walk.found, value, spec, path, scope)
        case NoValue():
            if value is not None:
                walk.found.add(path, "array", "None", describe_value(value))
        case Instance(cls):
            fitting = isinstance(value, cls)
            walk.found.ask_again(path, guards.instance_guard(value, cls, fitting))
            if not fitting and not _is_number(value, spec):
                note = suggestions.value_note(value)
                walk.found.add(path, "array", class_name(cls), describe_value(value), note)
        case Literally(values):
            _literal(walk, value, values, path)
        case TupleOf():
            _tuple(walk, value, spec, path, scope, outermost)
        case ItemsOf(cls, item):
            if not isinstance(value, cls):
                walk.found.add(path, "container", describe(spec), describe_value(value))
                return
            for index, element in enumerate(cast(Iterable[Any], value)):
                walk.below(element, item, (*path, index), scope, outermost=outermost)
        case MappingOf():
            _dict(walk, value, spec, path, scope, outermost)
        case RecordOf():
            _record(walk, value, spec, path, scope)
        case Validated(inner, predicates):
            count = len(walk.found.part.violations)
            walk.below(value, inner, path, scope, outermost=outermost)
            if len(walk.found.part.violations) == count:
                arrays.ask_predicates(walk.found, value, value, predicates, path)
        case Union() | StateSpec():
            walk.below(value, spec, path, scope, outermost=outermost)
        case _:
            assert_never(spec)


def _is_number(value: object, spec: Instance) -> bool:
    """Whether a value that is no Python number of the class is accepted as one."""
    if scalars.is_traced_scalar(value, spec.cls, counts=spec.counts):
        return True
    return spec.counts and scalars.counts_as(value, spec.cls)


def _literal(walk: Walker, value: Any, values: tuple[Any, ...], path: Path) -> None:
    def among(item: Any) -> bool:
        return any(type(item) is type(one) and item == one for one in values)

    found = among(value)
    walk.found.guard(Guard(path, lambda item: among(item) is found))
    if not found:
        walk.found.add(path, "array", describe(Literally(values)), describe_value(value))


def _tuple(
    walk: Walker, value: Any, spec: TupleOf, path: Path, scope: Scope, outermost: bool
) -> None:
    given: Any = value
    if not isinstance(value, tuple):
        walk.found.add(path, "container", describe(spec), describe_value(value))
        return
    if len(given) < len(spec.items) or (spec.rest is None and len(given) > len(spec.items)):
        actual = f"a tuple of {len(given)}"
        walk.found.add(path, "container", describe(spec), actual)
        return
    for index, element in enumerate(given):
        inner = spec.items[index] if index < len(spec.items) else spec.rest
        if inner is not None:
            walk.below(element, inner, (*path, index), scope, outermost=outermost)


def _dict(
    walk: Walker, value: Any, spec: MappingOf, path: Path, scope: Scope, outermost: bool
) -> None:
    if not isinstance(value, spec.cls):
        walk.found.add(path, "container", describe(spec), describe_value(value))
        return
    mapping = dict(cast(Mapping[Any, Any], value))
    if spec.key != Anything():
        walk.found.ask_again(path, guards.keys_like(mapping, every=True))
    traces, trace = walk.found.traces, walk.found.trace()
    for key, item in mapping.items():
        before = len(walk.found.part.violations)
        traces[walk.found.root] = Trace()  # keys are compared, not asked
        walk.below(key, spec.key, (*path, key), scope)
        traces[walk.found.root] = trace
        if len(walk.found.part.violations) > before:
            del walk.found.part.violations[before:]
            expected = f"{describe(spec.key)} keys"
            walk.found.add((*path, key), "key", expected, f"the key {show_key(key)}")
        walk.below(item, spec.value, (*path, key), scope, outermost=outermost)


def _record(walk: Walker, record: Any, spec: RecordOf, path: Path, scope: Scope) -> None:
    value, cls = record, spec.cls
    typed_dict = issubclass(cls, dict)
    if not isinstance(record, cls):
        walk.found.add(path, "container", class_name(spec.cls), describe_value(value))
        return
    names = [name for name, _ in spec.fields]
    if not typed_dict:
        records = walk.found.trace().records
        records[path] = tuple(dict.fromkeys((*records.get(path, ()), *names)))
    for name, item in spec.fields:
        there = name in value if typed_dict else hasattr(value, name)
        child = (*path, name)
        if there:
            element = value[name] if typed_dict else getattr(value, name)
            walk.below(element, item, child, scope)
        elif name in spec.required:
            walk.found.add(child, "missing", describe(item), "nothing")
    for key in value if typed_dict else ():
        if key not in names:
            walk.found.add((*path, key), "extra", "no such key", describe_value(value[key]))
