"""`merge` and `update`: as Flax's, but they refuse wrong states, and change nothing then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar, cast

import jax
from flax import nnx

from .._compat import axis_rules, graphdefs, modules, variables
from .._compat.graphdefs import GraphDefLeaf
from .._validation import suggestions
from .._validation.causes import Note
from .._validation.findings import Finding, Findings
from .._validation.show_value import describe_value
from ..checking import explain
from ..errors import StateTypeError
from ..report import Path, show_key, show_path

A = TypeVar("A")
_MAX_NOTES: Final = 20
#: What merged states are compared with, in the title of a report.
_GRAPHDEF: Final = "the GraphDef"


def _refuse(findings: Findings, title: str) -> None:
    """Raises StateTypeError if there is a violation."""
    __tracebackhide__ = True
    report = findings.report(title)
    if not report:
        raise StateTypeError(str(report), report)


def merge(graphdef: nnx.GraphDef[A], *states: Any, hint: Any = None) -> A:
    """``nnx.merge``, once keys, kinds and axis names are those that the GraphDef wants.

    Flax assigns leaves by position, so that a renamed key silently swaps two weights.

    Args:
      graphdef: from ``nnx.split``; with ``graph=False`` too.
      states: states or nested dicts that together hold each leaf once; pure values may stand
        for Variables.
      hint: a schema or form of all states together: a GraphDef knows no shapes and dtypes.

    Raises:
      StateTypeError: they do not fit; nothing is built then.
    """
    __tracebackhide__ = True
    definition = getattr(graphdef, "_graphdef", graphdef)
    if len(states) == 1 and isinstance(states[0], list):
        _merge_list(definition, cast(Any, states[0]))
    else:
        _merge_trees(definition, states, hint)
    return nnx.merge(graphdef, *states)


def _merge_trees(definition: Any, states: tuple[Any, ...], hint: Any) -> None:
    __tracebackhide__ = True
    findings = Findings()
    found = _joined(states, findings)
    for path, leaf in found.items():
        _refuse_deleted(path, leaf, findings)
    _compare_slots(definition, found, findings)
    _refuse(findings, _GRAPHDEF)
    if hint is not None:
        report = explain(_nested(found), hint)
        if not report:
            raise StateTypeError(str(report), report)


def unmergeable(graphdef: Any, states: tuple[Any, ...]) -> list[Finding]:
    """The violations of states against a GraphDef: keys, kinds and axis names."""
    findings = Findings()
    found = _joined(states, findings)
    _compare_slots(getattr(graphdef, "_graphdef", graphdef), found, findings)
    return findings.part.violations


def _compare_slots(definition: Any, found: Mapping[Path, Any], findings: Findings) -> None:
    slots = {slot.path: slot for slot in graphdefs.graphdef_slots(definition)}
    for path, slot in slots.items():
        if path in found:
            _compare_slot(path, slot, found[path], findings)
        else:
            expected = "an array" if slot.kind is None else slot.kind.__name__
            note = suggestions.missing_note(path[-1], _siblings(found, path)) if path else Note()
            findings.add(path, "missing", expected, "nothing", note)
    for path, leaf in found.items():
        if path not in slots:
            findings.add(path, "extra", "no such key", describe_value(leaf), _meant(path, slots))


def _merge_list(definition: Any, values: list[Any]) -> None:
    findings = Findings()
    slots = graphdefs.graphdef_slots(definition)
    if len(values) != len(slots):
        expected, actual = f"a list of {len(slots)} leaves", f"one of {len(values)}"
        findings.add((), "container", expected, actual)
    for slot, leaf in zip(slots, values, strict=False):
        _compare_slot(slot.path, slot, leaf, findings)
    _refuse(findings, _GRAPHDEF)


def _compare_slot(path: Path, slot: GraphDefLeaf, leaf: Any, findings: Findings) -> None:
    if not variables.is_variable(leaf):
        return  # Flax makes a Variable of the wanted kind
    kind = variables.kind_of(leaf)
    if slot.kind is None:
        note = suggestions.value_note(leaf)
        findings.add(path, "kind", "an array", describe_value(leaf), note)
    elif kind is not slot.kind:
        note = suggestions.stale_kind_note(kind, slot.kind)
        findings.add(path, "kind", slot.kind.__name__, describe_value(leaf), note)
    else:
        _compare_names(path, slot.metadata, leaf, findings)


def _compare_names(path: Path, metadata: Mapping[str, Any], leaf: Any, findings: Findings) -> None:
    wanted = axis_rules.declared_names(metadata)
    actual = axis_rules.declared_names(variables.metadata_of(leaf))
    if wanted != actual:
        findings.add(path, "metadata", _axes(wanted), _axes(actual))


def _axes(names: tuple[Any, ...] | None) -> str:
    return "no axis names" if names is None else f"the axis names {show_key(names)}"


def update(
    node: Any, *states: Any, new: bool = False, resize: bool = False, whole: bool = False
) -> None:
    """``nnx.update``, once the states fit the live node; they may be a part of its state.

    Args:
      node: a module, an optimizer or another graph node.
      states: states or nested dicts; pure values may stand for Variables.
      new: leaves that the node does not have are added.
      resize: arrays of another shape or dtype take the place of the node's.
      whole: nothing of the node may stay as it is, e.g. at its initial value.

    Raises:
      StateTypeError: they do not fit; the node is then as it was.
    """
    __tracebackhide__ = True
    findings = Findings()
    found = _joined(states, findings)
    tree = modules.module_tree(node)
    live = dict(variables.leaves_of(tree.mapping))
    added: dict[Path, Any] = {}
    given: dict[Path, tuple[Path, Any]] = {}
    for path, leaf in found.items():
        target = _resolve(path, tree.shared)
        first, other = given.setdefault(target, (path, leaf))
        if first != path and _held(other) is not _held(leaf):
            text = f"what {show_path(first)} has, as both are one Variable of the node"
            findings.add(path, "metadata", text, f"another {describe_value(leaf)}")
        _refuse_deleted(path, leaf, findings)
        if target in live:
            _compare_leaf(path, live[target], leaf, resize, findings)
        elif any(other[: len(target)] == target for other in live):
            findings.add(path, "container", "a sub-state", describe_value(leaf))
        elif any(target[: len(other)] == other for other in live):
            shorter = next(other for other in live if target[: len(other)] == other)
            expected, actual = describe_value(live[shorter]), "a sub-state"
            findings.add(shorter, "container", expected, actual)
        elif new:
            added[path] = leaf
        else:
            note = _meant(target, live)
            worth = len(findings.part.violations) < _MAX_NOTES
            if not note.text and worth and _can_add(node, path, leaf):
                note = Note("new=True adds it")
            findings.add(path, "extra", "no such key", describe_value(leaf), note)
    for path in live if whole else ():
        if path not in given:
            why = "whole=True: nothing stays as it is"
            findings.add(path, "missing", describe_value(live[path]), "nothing", why)
    _refuse(findings, type(node).__name__)
    if added:
        _rehearse(_twin(node), added, findings)
        _refuse(findings, type(node).__name__)
    if states:
        nnx.update(node, *states)


def _can_add(node: Any, path: Path, leaf: Any) -> bool:
    """Whether Flax would add a leaf that the node does not have."""
    twin = Findings()
    _rehearse(_twin(node), {path: leaf}, twin)
    return not twin.part.violations


def _twin(node: Any) -> Any:
    """A copy of a node that holds no buffer: a copy by Flax lives until Python looks for cycles."""
    graphdef, state = nnx.split(node)
    return nnx.merge(graphdef, _without_values(state))


def _without_values(state: Any) -> Any:
    return jax.tree.map(variables.without_values, state)


def _held(leaf: Any) -> Any:
    return variables.raw_value(leaf) if variables.is_variable(leaf) else leaf


def _refuse_deleted(path: Path, leaf: Any, findings: Findings) -> None:
    if variables.is_deleted(_held(leaf)):
        findings.add(path, "array", *suggestions.DELETED)


def _rehearse(twin: Any, added: Mapping[Path, Any], findings: Findings) -> None:
    """Adds the new leaves to a twin first, as Flax notices errors only halfway through."""
    for path, leaf in added.items():
        try:
            nnx.update(twin, _without_values(_nested({path: leaf})))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            findings.add(path, "extra", "a key that Flax can add", describe_value(leaf), reason)


def _compare_leaf(path: Path, live: Any, leaf: Any, resize: bool, findings: Findings) -> None:
    is_variable, wants_variable = variables.is_variable(leaf), variables.is_variable(live)
    if is_variable and not wants_variable:
        note = suggestions.value_note(leaf)
        findings.add(path, "kind", describe_value(live), describe_value(leaf), note)
        return
    if is_variable and variables.kind_of(leaf) is not variables.kind_of(live):
        note = suggestions.stale_kind_note(variables.kind_of(leaf), variables.kind_of(live))
        findings.add(path, "kind", describe_value(live), describe_value(leaf), note)
        return
    old = variables.raw_value(live) if wants_variable else live
    value = variables.raw_value(leaf) if is_variable else leaf
    if is_variable:
        _compare_names(path, variables.metadata_of(live), leaf, findings)
    if variables.is_array(old) and not _shaped(value):
        findings.add(path, "array", describe_value(old), describe_value(value))
    elif variables.is_array(old) and not resize:
        _compare_array(path, old, value, findings)


def _shaped(value: Any) -> bool:
    return variables.is_shaped(value)


def _compare_array(path: Path, old: Any, value: Any, findings: Findings) -> None:
    note = "resize=True takes it"
    expected, actual = describe_value(old), describe_value(value)
    if old.dtype != value.dtype and expected == actual:  # PRNG keys of two implementations
        expected, actual = str(old.dtype), str(value.dtype)
    if old.dtype != value.dtype:
        findings.add(path, "dtype", expected, actual, note)
    elif len(old.shape) != len(value.shape):
        findings.add(path, "rank", expected, actual, note)
    elif tuple(old.shape) != tuple(value.shape):
        findings.add(path, "size", expected, actual, note)


def _joined(states: tuple[Any, ...], findings: Findings) -> dict[Path, Any]:
    """The leaves of all states by path; a leaf in two states is a violation."""
    found: dict[Path, Any] = {}
    for index, state in enumerate(states):
        if variables.mapping_of(state) is None:
            note = suggestions.container_note(state)
            findings.add((), "container", "a state", describe_value(state), note)
            continue
        for path, leaf in _readable(state, findings):
            if path in found:
                expected = "each leaf in one state"
                findings.add(
                    path, "extra", expected, describe_value(leaf), f"again in state {index}"
                )
            found[path] = leaf
    return found


def _readable(state: Any, findings: Findings) -> list[tuple[Path, Any]]:
    try:
        return list(variables.leaves_of(state))
    except RecursionError:
        findings.add((), "container", "a state", "a tree nested too deeply to read")
        return []


def _siblings(found: Mapping[Path, Any], path: Path) -> dict[Any, Any]:
    size = len(path)
    return {
        other[size - 1]: None
        for other in found
        if other[: size - 1] == path[:-1] and len(other) >= size
    }


def _meant(path: Path, known: Iterable[Path]) -> Note:
    """The note with the key that was probably meant, at the first key of a path that is unknown."""
    near = list(known)
    for depth, key in enumerate(path):
        siblings = dict.fromkeys(other[depth] for other in near if len(other) > depth)
        if key not in siblings:
            return suggestions.unknown_note(key, siblings)
        near = [other for other in near if len(other) > depth and other[depth] == key]
    return Note()


def _nested(found: Mapping[Path, Any]) -> Any:
    tree: dict[Any, Any] = {}
    for path, leaf in found.items():
        below = tree
        for key in path[:-1]:
            below = below.setdefault(key, {})
        below[path[-1]] = leaf
    return nnx.State(tree)


def _resolve(path: Path, shared: Mapping[Path, Path]) -> Path:
    """The first path of a Variable that is reached by another one."""
    for size in range(len(path), 0, -1):
        if path[:size] in shared:
            return (*shared[path[:size]], *path[size:])
    return path
