"""Whether anything can stand in a tree: forms may leave nothing of a part."""

from __future__ import annotations

from typing import assert_never

from .node_groups import StateSpec, ValueSpec, WrapperSpec
from .nodes import (
    Anything,
    Conditional,
    EntriesSpec,
    FlatSpec,
    Map,
    Node,
    NoValue,
    SchemaRef,
    Spec,
    Union,
)
from .questions import root_of
from .transform import Impossible


def may_hold(spec: Spec, seen: frozenset[SchemaRef] = frozenset()) -> bool:
    """Whether a tree that is like `spec` may have a leaf."""
    match spec:
        case Node(ref):
            root = root_of(ref)  # a form that reads paths makes a schema for each level
            if root in seen:
                return False
            try:
                schema = ref.resolve()
            except Impossible:  # no tree can be such
                return False
            inner = [field.spec for field in schema.fields if field.shared is None]
            inner += [pattern.entry for pattern in schema.extra.patterns]
            return bool(schema.extra.allowed) or any(may_hold(one, seen | {root}) for one in inner)
        case WrapperSpec() | FlatSpec():
            return may_hold(spec.inner, seen)
        case EntriesSpec(items, extra=extra):
            below = (item for item in items if item is not None)
            return bool(extra.allowed) or any(may_hold(item, seen) for item in below)
        case Map(entry=entry, extra=extra):
            return bool(extra.allowed) or may_hold(entry, seen)
        case Union(options):
            return any(may_hold(option, seen) for option in options)
        case Conditional(yes=yes, no=no):
            return any(option is not None and may_hold(option, seen) for option in (yes, no))
        case NoValue():
            return False
        case Anything() | ValueSpec() | StateSpec():
            return True
        case _:
            assert_never(spec)
