"""Whether a schema asks for itself again and again: no tree is such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from .dims import evaluate
from .node_groups import StateSpec, ValueSpec, WrapperSpec
from .nodes import Anything, EntriesSpec, FlatSpec, Map, Node, SchemaRef, Spec, Union
from .questions import needs_leaf, root_of


def endless_field(ref: SchemaRef) -> str:
    """The field by which every tree of a schema would need another in it; empty without one."""
    if not any(other is ref for other in _required(ref)):
        return ""
    if not needs_leaf(Node(ref)):
        return ""  # a branch without leaves may be absent
    for field in ref.resolve().fields:
        if not field.optional and field.shared is None and not _ends(field.spec, (ref,)):
            return field.name
    return ""


def _required(ref: SchemaRef) -> Iterator[SchemaRef]:
    """Every schema that a tree of this one may need, itself only if it comes back to it."""
    seen: dict[int, SchemaRef] = {}
    waiting = [ref]
    while waiting:
        for field in waiting.pop().resolve().fields:
            if field.optional or field.shared is not None:
                continue
            for other in _refs(field.spec):
                if id(other) not in seen:
                    seen[id(other)] = other
                    waiting.append(other)
    yield from seen.values()


def _refs(spec: Spec) -> Iterator[SchemaRef]:
    match spec:
        case Node(ref) if _is_plain(ref):
            yield ref
        case WrapperSpec() | FlatSpec():
            yield from _refs(spec.inner)
        case EntriesSpec(items):
            for item in items:
                yield from () if item is None else _refs(item)
        case Map(entry=entry) if _is_counted(spec):
            yield from _refs(entry)
        case Union(options):
            for option in options:
                yield from _refs(option)
        case Anything() | ValueSpec() | StateSpec():
            return
        case _:
            assert_never(spec)


def _ends(spec: Spec, open_: tuple[SchemaRef, ...]) -> bool:
    """Whether some tree of a spec has none of the open schemas in it."""
    if not needs_leaf(spec):
        return True
    match spec:
        case Node(ref) if _is_plain(ref):
            if any(ref is known for known in open_):
                return False
            return all(
                field.optional or field.shared is not None or _ends(field.spec, (*open_, ref))
                for field in ref.resolve().fields
            )
        case WrapperSpec() | FlatSpec():
            return _ends(spec.inner, open_)
        case EntriesSpec(items):
            return all(item is None or _ends(item, open_) for item in items)
        case Map(entry=entry):
            return not _is_counted(spec) or _ends(entry, open_)
        case Union(options):
            return any(_ends(option, open_) for option in options)
        case Anything() | ValueSpec() | StateSpec():
            return True
        case _:
            assert_never(spec)


def _is_plain(ref: SchemaRef) -> bool:
    """Whether it is no form, which may leave out what comes back."""
    return root_of(ref) is ref


def _is_counted(spec: Map) -> bool:
    """Whether a map has entries for sure; one that is there may else have none."""
    return spec.length is not None and bool(evaluate(spec.length, {}))
