"""A spec as its user would write it, for reports and errors."""

from __future__ import annotations

from typing import assert_never

from jax.sharding import PartitionSpec

from .._compat.unknown_kind import UnknownKind
from .dim_grammar import show_shape
from .nodes import (
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
    PlacedAsSpec,
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


def class_name(cls: type) -> str:
    """A class by its last name: some versions of JAX call theirs ``jaxlib._jax.Array``."""
    name = "PartitionSpec" if cls is PartitionSpec else cls.__name__  # P on the newest JAX
    return name if "[" in name else name.rpartition(".")[2]


def describe(spec: Spec) -> str:
    """The spec as its user would write it, short enough for one line of a report."""
    match spec:
        case Anything():
            return "Any"
        case NoValue():
            return "None"
        case Instance(cls):
            return class_name(cls)
        case Literally(values):
            return f"Literal[{', '.join(map(repr, values))}]"
        case Array():
            return _describe_array(spec)
        case TupleOf(items, rest):
            inner = [describe(item) for item in items]
            if rest is not None:
                more = f"{describe(rest)}, ..."
                inner += [f"*tuple[{more}]" if inner else more]
            return f"tuple[{', '.join(inner) or '()'}]"
        case ItemsOf(cls, item):
            return f"{class_name(cls)}[{describe(item)}]"
        case MappingOf(cls, key, value):
            return f"{class_name(cls)}[{describe(key)}, {describe(value)}]"
        case RecordOf(cls=cls):
            return class_name(cls)
        case Validated(inner=inner):
            return describe(inner)
        case Partition(cls=cls):
            return class_name(cls)
        case Leaf():
            return _describe_leaf(spec)
        case Node(ref):
            return ref.name
        case Map(key=key, entry=entry):
            return f"StateMap[{key}, {describe(entry)}]"
        case EntriesSpec(items):
            inner = ["None" if item is None else describe(item) for item in items]
            return f"Entries[{', '.join(inner)}]"
        case StateOfSpec(leaf):
            return f"StateOf[{describe(leaf)}]"
        case Union(options):
            return " | ".join(describe(option) for option in options)
        case FlatSpec(inner, separator):
            text = "" if separator is None else f", {separator!r}"
            return f"Flat[{describe(inner)}{text}]"
        case Bound(inner=inner) | ScopedSpec(inner=inner) | SameSpec(inner=inner):
            return describe(inner)
        case Argument(inner=inner) | PlacedAsSpec(inner=inner):
            return describe(inner)
        case Within(ref=ref):
            return ref.name
        case Conditional(yes=yes, no=no):
            answers = [describe(option) for option in (yes, no) if option is not None]
            return " or ".join(answers) or "nothing"
        case ModuleState(cls, inner):
            return f"{class_name(cls)} with state {describe(inner)}"
        case _:
            assert_never(spec)


def _describe_array(spec: Array) -> str:
    cls = "Array" if spec.cls is None else class_name(spec.cls)
    if spec.abstract:
        cls = "ShapeDtypeStruct"
    if spec.shape is None:
        return f"{spec.dtype}[{cls}]" if spec.dtype else cls
    return f'{spec.dtype or "Shaped"}[{cls}, "{show_dims(spec)}"]'


def show_dims(spec: Array) -> str:
    """The dims of an array as in a hint; those inserted into a run of axes after it."""
    inserted = [f"{axis.text} at axis {index}" for index, axis in spec.inserted]
    return ", ".join([show_shape(spec.shape or ()), *inserted])


def _describe_leaf(spec: Leaf) -> str:
    value = describe(spec.value)
    if spec.kind is None or spec.kind is UnknownKind:
        return value
    kind = class_name(spec.kind)
    text = kind if isinstance(spec.value, Anything) else f"{kind}[{value}]"
    return f"Exactly[{text}]" if spec.exact else text
