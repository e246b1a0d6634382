"""Makers of the leaves of derived trees: abstract arrays, partition specs, shardings."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, assert_never, cast

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from msgspec.structs import replace

from .._compat import axis_rules, scalars, storage as storage_, variables
from .._sharding import axis_names, compare
from .._sharding.axis_names import Rules
from .._spec import dims as dims_
from .._spec.describe import describe
from .._spec.dims import SingleDim, VariadicDim
from .._spec.dtypes import has_dtype
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Array,
    Instance,
    Leaf,
    NoValue,
    RecordOf,
    Spec,
    TupleOf,
    Union,
    Validated,
)
from .builder import Builder
from .options import give
from .sites import ABSENT, Site

_jax: Final = cast(Any, jax)
DTYPE: Final = cast(Any, np.dtype)
_spec: Final = cast(Any, PartitionSpec)
OpenChoice = bool | int | str | type | Sequence[Hashable] | jnp.dtype[Any]
SHOWN: Final = 20


class Partitioner(msgspec.Struct, frozen=True):
    """Makes the PartitionSpec of a leaf, or with a mesh its NamedSharding."""

    mesh: Any
    rules: Rules | None

    def __call__(self, builder: Builder, spec: Leaf, site: Site) -> Any:
        """The partition of a leaf: one for the whole leaf, also if its value has several arrays."""
        if isinstance(spec.value, NoValue):
            return None
        array = spec.value if isinstance(spec.value, Array) else None
        shape = None if array is None else _open_shape(builder, array, site)
        found = _raw(site.like)
        if hasattr(found, "shape") and (shape is None or len(shape) == len(found.shape)):
            shape = tuple(found.shape)  # the array to place has the shape of `like`
        return self.partition(builder, spec, site, shape)

    def partition(
        self, builder: Builder, spec: Leaf, site: Site, shape: Sequence[int | None] | None
    ) -> Any:
        """The partition of an array by its declared axis names; ``P()`` if it has none."""
        metadata: Mapping[str, Any] = {}
        if variables.is_variable(site.like):
            metadata = variables.metadata_of(site.like)
        rank = None if shape is None else len(shape)
        names, kept = spec.names, spec.storage
        if names is None:
            names = compare.in_metadata(metadata, spec.stacked, rank)
            own_sums = axis_rules.written_sums(metadata) or storage_.ANYWHERE
            kept = replace(own_sums, memory_kind=kept.memory_kind)
        names = axis_names.spread(names or (), rank)
        if ... in names:
            builder.fault(site, "its rank is open: give the sizes of *name, or like=")
            return _spec()
        try:
            placed = None if spec.placed is None else spec.placed.rules
            rules = placed if self.rules is None else self.rules
            own = metadata.get("sharding_rules")
            resolved = axis_names.resolve(names, rules, own)
            sums = axis_names.resolve_storage(kept, rules, own)
        except ValueError as error:
            builder.fault(site, f"{axis_names.show_names(names, kept)}: {error}")
            return _spec()
        faults = list(axis_names.problems(resolved, shape, self.mesh, sums))
        for expected, actual in faults:
            builder.fault(site, f"expected {expected}, found {actual}")
        partition = storage_.partition(resolved, sums)
        if self.mesh is None or faults:
            return partition
        try:
            return NamedSharding(self.mesh, partition, memory_kind=sums.memory_kind)
        except ValueError as error:  # a kind of memory that the mesh's devices don't have
            builder.fault(site, str(error))
            return partition


class AbstractMaker(msgspec.Struct, frozen=True):
    """Makes a Variable that holds abstract arrays, or an abstract array."""

    partitioner: Partitioner
    dtypes: tuple[Any, ...]

    def __call__(self, builder: Builder, spec: Leaf, site: Site) -> Any:
        """The leaf with ``jax.ShapeDtypeStruct`` in the place of its arrays."""
        value = self._value(builder, spec.value, spec, site, _raw(site.like))
        if spec.kind is None:
            return value
        rank = len(value.shape) if isinstance(value, jax.ShapeDtypeStruct) else None
        names = () if spec.by_dims else axis_names.spread(spec.names or (), rank)
        sums = spec.storage.sums
        named = names or sums != storage_.ANYWHERE
        return variables.make_variable(
            spec.kind, value, axis_rules.with_names(names, sums) if named else {}
        )

    def _value(self, builder: Builder, value: Spec, leaf: Leaf, site: Site, like: Any) -> Any:
        match value:
            case Array():
                return self._array(builder, value, leaf, site, like)
            case NoValue():
                return None
            case Instance(cls) if issubclass(cls, bool | int | float | complex):
                return _jax.eval_shape(lambda: _jax.numpy.asarray(cls(0)))
            case Instance(cls) if _is_empty_tuple(cls):
                return cls()  # optax.MaskedNode, optax.EmptyState
            case TupleOf(items, rest) if rest is None or items:
                return tuple(
                    self._value(builder, item, leaf, site, _item(like, index))
                    for index, item in enumerate(items)
                )
            case RecordOf(cls=cls, fields=fields) if issubclass(cls, tuple | dict):
                made = {
                    name: self._value(builder, item, leaf, site, _item(like, name))
                    for name, item in fields
                }
                whole = cast(Any, cls)
                return made if issubclass(cls, dict) else whole(*made.values())
            case Validated(inner=inner):
                return self._value(builder, inner, leaf, site, like)
            case Union():
                chosen = builder.option(value, site, like)
                return None if chosen is None else self._value(builder, chosen, leaf, site, like)
            case Instance(cls) if isinstance(like, cls):
                return like
            case Anything() if hasattr(like, "shape") and hasattr(like, "dtype"):
                partition = self._sharding(builder, leaf, site, tuple(like.shape))
                return _jax.ShapeDtypeStruct(like.shape, like.dtype, sharding=partition)
            case Anything() | ValueSpec() | StateSpec():
                pass
            case _:
                assert_never(value)
        bare = isinstance(value, Anything)
        shown = "its shape and dtype are" if bare else f"{describe(value)} is"
        more = "" if builder.follows else ", or give like="
        builder.fault(site, f"{shown} open: say more in the schema{more}")
        return None

    def _array(self, builder: Builder, array: Array, leaf: Leaf, site: Site, like: Any) -> Any:
        shape = _shape(builder, array, site, like)
        dtype = self._dtype(builder, array, site, like)
        if shape is None or dtype is None:
            return None
        partition = self._sharding(builder, leaf, site, shape)
        return _jax.ShapeDtypeStruct(shape, dtype, sharding=partition)

    def _sharding(
        self, builder: Builder, leaf: Leaf, site: Site, shape: tuple[int, ...]
    ) -> NamedSharding | None:
        if self.partitioner.mesh is None:
            return None
        found = self.partitioner.partition(builder, leaf, site, shape)
        return found if isinstance(found, NamedSharding) else None

    def _dtype(self, builder: Builder, array: Array, site: Site, like: Any) -> Any:
        if hasattr(like, "dtype"):
            return like.dtype
        if array.dtypes == ("prng_key",):
            return _jax.eval_shape(lambda: jax.random.key(0)).dtype
        chosen: Any = builder.choice(site)
        named = not isinstance(chosen, bool | int | str) and chosen is not ABSENT
        first = (DTYPE(chosen),) if named else ()
        for dtype in (*first, *self.dtypes):
            if array.dtypes is None or has_dtype(np.dtype(dtype), array.dtypes):
                return dtype
        if array.dtypes is not None and len(array.dtypes) == 1 and isinstance(array.dtypes[0], str):
            return jnp.dtype(array.dtypes[0])
        builder.fault(site, f"which dtype of {array.dtype or 'any'}? dtype=jnp.float32, ...")
        return None


def _is_empty_tuple(cls: Any) -> bool:
    fields: Any = getattr(cls, "_fields", None)
    return issubclass(cls, tuple) and fields == ()


def _raw(like: Any) -> Any:
    return variables.raw_value(like) if variables.is_variable(like) else like


def _item(like: Any, key: Any) -> Any:
    try:
        return getattr(like, key) if isinstance(key, str) and hasattr(like, key) else like[key]
    except (TypeError, KeyError, IndexError):
        return ABSENT


def _open_shape(builder: Builder, array: Array, site: Site) -> tuple[int | None, ...] | None:
    """The shape, with None for an open size; None for an open rank."""
    if array.shape is None:
        return None
    found: list[int | None] = []
    for dim in array.shape:
        if isinstance(dim, VariadicDim):
            run = None if dim.name is None else builder.run(dim.name, site.scope)
            if run is None:
                return None
            found += run
        else:
            found.append(_open_size(builder, dim, site))
    for index, axis in array.inserted:
        _insert(found, index, _open_size(builder, axis, site))
    return tuple(found)


def _open_size(builder: Builder, dim: SingleDim, site: Site) -> int | None:
    if dim.expr is None:
        return None
    return builder.size(dims_.substitute(dim.expr, site.scope.lookup))[0]


def _insert(sizes: list[Any], index: int, size: Any) -> None:
    sizes.insert(index if index >= 0 else len(sizes) + 1 + index, size)


def _shape(builder: Builder, array: Array, site: Site, like: Any) -> tuple[int, ...] | None:
    """The shape; an open size or rank is a fault, and the result None."""
    if hasattr(like, "shape"):
        return tuple(like.shape)
    if array.shape is None:
        builder.fault(site, "its shape is open: say more in the schema, or give like=")
        return None
    found: list[int] = []
    whole = True
    for index, dim in enumerate(array.shape):
        sizes = _sizes(builder, dim, site)
        if isinstance(sizes, str):
            builder.fault(site, f"axis {index} is open: {sizes}")
            whole = False
        else:
            found += sizes
    for index, dim in array.inserted:
        sizes = _sizes(builder, dim, site)
        if isinstance(sizes, str):
            builder.fault(site, f"axis {index} is open: {sizes}")
            whole = False
        else:
            _insert(found, index, sizes[0])
    return tuple(found) if whole else None


def _sizes(builder: Builder, dim: SingleDim | VariadicDim, site: Site) -> Sequence[int] | str:
    """The sizes of an axis or a run of axes, or the arguments that would give them, as text."""
    if isinstance(dim, VariadicDim):
        run = None if dim.name is None else builder.run(dim.name, site.scope)
        if run is not None:
            return run
        return "name it in the schema" if dim.name is None else f"give {dim.name}=(...)"
    if dim.expr is None:
        return "name it in the schema"
    size, opened = builder.size(dims_.substitute(dim.expr, site.scope.lookup))
    if size is not None and (scalars.is_symbolic_size(size) or size >= 0):
        return (size,)
    for name in opened:
        if isinstance(builder.given.get(name), tuple):
            return f"{name}={builder.given[name]} is no single size"
        if name in builder.given:  # the outermost dim of that name
            return f"its {name} is another dim than the given one: link it in the schema, by Bind"
    return f"give {give(opened)}" if opened else f"{dim.text} is no size"
