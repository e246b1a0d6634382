"""The subjects of a comparison: hints, and values as specs that fit exactly them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import singledispatch
from typing import Any, Protocol, cast

import jax
import msgspec
import numpy as np
from flax import nnx

from .._annotations.spec_of import name_of, spec_of
from .._compat import axis_rules, modules, variables
from .._compat.storage import ANYWHERE
from .._spec import flat_trees
from .._spec.dims import Fixed, SingleDim
from .._spec.dtypes import dtype_name
from .._spec.nodes import (
    Anything,
    Array,
    Field,
    FlatSpec,
    Instance,
    Leaf,
    Node,
    NoValue,
    Schema,
    Spec,
    TupleOf,
    Validated,
)
from .._spec.words import Container
from ..errors import SchemaError
from ..report import Report


class Subject(msgspec.Struct, frozen=True):
    """One of the two.

    Attributes:
      name: for people.
      spec: what it says.
      value: the state where it is one, else None.
      abstract: some of its leaves are abstract.
      stored: the checkpoint that it is.
    """

    name: str
    spec: Spec
    hint: Any
    value: Any = None
    abstract: bool = False
    stored: Stored | None = None

    @property
    def is_value(self) -> bool:
        """Whether it is one tree, not all that a hint describes."""
        return self.hint is None


class Stored(Protocol):
    """A checkpoint, which says itself whether it fits: formats change keys and forget kinds."""

    @property
    def unknown(self) -> str:
        """What it does not say of kinds; empty where it says all."""
        ...

    @property
    def leaves(self) -> Mapping[Hashable, Any]:
        """Nested dicts of what is stored: kind, dtype, shape, bytes, sharding."""
        ...

    def judge(self, other: Subject, dims: Mapping[str, int] | None) -> Report:
        """Everything in which it does not fit a hint, or another tree."""
        ...


class SeenRef(msgspec.Struct, frozen=True):
    """A level of a tree that was read."""

    name: str
    schema: Schema
    arguments: tuple[Spec, ...] = ()
    owners: Mapping[object, bool] = {}

    def __hash__(self) -> int:
        """By identity: a tree is large."""
        return id(self)

    def resolve(self) -> Schema:
        """Its keys."""
        return self.schema


@singledispatch
def subject_of(given: Any) -> Subject:
    """Reads a hint, a document, a state, also a flat one, a nested dict, a module or a checkpoint.

    `checkpoint`, which is above, registers how it reads its own.

    Raises:
      SchemaError: it is none of these.
    """
    if hasattr(given, "to_schema"):
        given = given.to_schema()
    if modules.is_module(given):
        name = type(given).__name__
        return _value(nnx.state(given), f"a {name}")
    if variables.is_state(given):
        return _value(given, "a state")
    if isinstance(given, dict):
        return _value(given, "a dict")
    if flat_trees.is_pairs(given):
        found = _value(flat_trees.nested(given, FlatSpec(Anything())), "a flat state")
        return Subject(found.name, found.spec, None, given, found.abstract)
    spec = spec_of(given)
    if isinstance(spec, Validated) and isinstance(spec.inner, Anything):
        shown = type(given).__name__
        raise SchemaError(f"a schema, a state, a module or a checkpoint was expected, not {shown}")
    return Subject(name_of(given, spec), spec, given)


def of_stored(stored: Stored, state: Any, name: str) -> Subject:
    """A checkpoint, with the abstract state that it holds."""
    found = _value(state, name)
    return Subject(found.name, found.spec, None, state, found.abstract, stored)


def _value(value: Any, name: str) -> Subject:
    container: Container = "state" if variables.is_state(value) else "dict"
    try:
        spec, abstract = _tree(value, container), _is_abstract(value)
    except RecursionError:
        raise SchemaError(f"diff: {name} is nested too deeply to read") from None
    return Subject(name, spec, None, value, abstract)


def _is_abstract(value: Any) -> bool:
    """Whether an abstract array stands somewhere in a tree; its keys need not be of one class."""
    held = variables.raw_value(value) if variables.is_variable(value) else value
    mapping = variables.mapping_of(held)
    if mapping is not None:
        return any(map(_is_abstract, mapping.values()))
    if isinstance(held, tuple | list):
        return any(map(_is_abstract, cast("tuple[Any, ...]", held)))
    return isinstance(held, jax.ShapeDtypeStruct)


def _tree(value: Any, container: Container) -> Spec:
    mapping = variables.mapping_of(value)
    if mapping is None:
        return _leaf(value)
    fields = tuple(_field(key, item, container) for key, item in mapping.items())
    return Node(SeenRef("a state", Schema("a state", fields, container=container)))


def _field(key: Hashable, item: Any, container: Container) -> Field:
    return Field(str(key), key, _tree(item, container))


def _leaf(value: Any) -> Spec:
    if not variables.is_variable(value):
        return _content(value)
    names = axis_rules.declared_names(variables.metadata_of(value))
    kind = variables.kind_of(value)
    content = _content(variables.raw_value(value))
    storage = axis_rules.written_sums(variables.metadata_of(value)) or ANYWHERE
    declared = () if names is None else names
    return Leaf(kind, content, exact=True, names=declared, storage=storage)


def _content(given: object) -> Spec:
    """A value by class, dtype and shape; an abstract array by the array that it stands for."""
    value: Any = given
    if variables.is_shaped(value):
        shape = tuple(SingleDim(str(size), Fixed(size)) for size in map(int, value.shape))
        cls = np.ndarray if isinstance(value, np.ndarray) else jax.Array
        dtype = dtype_name(cast(Any, value).dtype)
        return Array(dtype, (dtype,), shape, cls)
    if value is None:
        return NoValue()
    if type(value) is tuple:
        return TupleOf(tuple(_content(item) for item in cast(Any, value)))
    return Instance(type(given))
