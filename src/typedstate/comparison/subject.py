"""`Subject`: one side of `diff`, a hint or a value; a value becomes a spec that only it fits."""

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
    """One side of a comparison.

    Attributes:
      name: the name to show.
      spec: the spec of a hint, or the exact spec of a value.
      value: the state, or None for a hint.
      abstract: whether some leaves of the state are abstract.
      stored: the checkpoint that holds the state, else None.
    """

    name: str
    spec: Spec
    hint: Any
    value: Any = None
    abstract: bool = False
    stored: Stored | None = None

    @property
    def is_value(self) -> bool:
        """Whether it is a single tree, as opposed to a hint."""
        return self.hint is None


class Stored(Protocol):
    """A checkpoint. It judges itself, as formats change keys and do not keep kinds."""

    @property
    def unknown(self) -> str:
        """A sentence on the kinds that the checkpoint does not name; empty if it names all."""
        ...

    @property
    def leaves(self) -> Mapping[Hashable, Any]:
        """Nested dicts of stored leaves: kind, dtype, shape, bytes, sharding."""
        ...

    def judge(self, other: Subject, dims: Mapping[str, int] | None) -> Report:
        """The violations of the checkpoint against a hint, or against another tree."""
        ...


class SeenRef(msgspec.Struct, frozen=True):
    """Stands for a schema class: one level of a value."""

    name: str
    schema: Schema
    arguments: tuple[Spec, ...] = ()
    owners: Mapping[object, bool] = {}

    def __hash__(self) -> int:
        """By identity, as a tree is large."""
        return id(self)

    def resolve(self) -> Schema:
        """The fields of the level."""
        return self.schema


@singledispatch
def subject_of(given: Any) -> Subject:
    """Reads a hint, a document, a state, also a flat one, a nested dict, a module or a checkpoint.

    ``typedstate.checkpoint``, which may not be imported here, registers how to read a checkpoint.

    Raises:
      SchemaError: the argument is none of these.
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
    """The subject of a checkpoint and the abstract state that it holds."""
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
    """Whether a tree has an abstract array; its keys may be of several classes."""
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
    """The exact spec of a value: class, dtype and shape; an abstract array counts as an array."""
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
