"""What specs are to a file: a tree, a value, a choice, or another spec with something around it.

Each question about a spec asks of these groups and ends in the rest of them, so that type checkers
name every place where a new spec has to be decided about.
"""

from __future__ import annotations

from .._spec.nodes import (
    Anything,
    Argument,
    Array,
    Bound,
    Conditional,
    EntriesSpec,
    FlatSpec,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    Partition,
    RecordOf,
    SameSpec,
    ScopedSpec,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)

Tree = Node | Map | EntriesSpec | StateOfSpec
Around = Bound | Argument | Within | ScopedSpec | SameSpec | FlatSpec | ModuleState
Choice = Union | Conditional
Structure = TupleOf | ItemsOf | MappingOf | RecordOf
Single = Anything | NoValue | Instance | Literally | Array | Partition | Leaf


def is_tree(spec: Spec) -> bool:
    """Whether a spec is one of a level of keys."""
    if isinstance(spec, Tree):
        return True
    if isinstance(spec, Around):
        return is_tree(spec.inner)
    _rest: Choice | Structure | Single | Validated = spec
    return False


def is_structure(value: Spec) -> bool:
    """Whether a Variable's value is one of several arrays."""
    if isinstance(value, Structure):
        return True
    if isinstance(value, Validated):
        return is_structure(value.inner)
    if isinstance(value, Union):
        return any(map(is_structure, value.options))
    _rest: Single | Tree | Around | Conditional = value
    return False


def array_of(value: Spec) -> Array | None:
    """The array that a Variable's value is, the first of several alternatives."""
    if isinstance(value, Array):
        return value
    if isinstance(value, Validated):
        return array_of(value.inner)
    if isinstance(value, Union):
        found = [array for option in value.options if (array := array_of(option)) is not None]
        return found[0] if found else None
    _rest: Single | Structure | Tree | Around | Conditional = value
    return None
