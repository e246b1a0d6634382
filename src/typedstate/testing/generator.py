"""`Generator`: walks a spec and makes a tree that fits it; a `Chooser` decides open points.

`example` has a chooser of its own, `states` lets hypothesis choose. The walk also collects the
places where a check is sure to refuse a mutation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeVar, assert_never, cast

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from flax.nnx import filterlib
from jax.sharding import NamedSharding, PartitionSpec

from .._compat import axis_rules, variables
from .._compat.storage import ANYWHERE, partition
from .._sharding import axis_names
from .._spec import dims
from .._spec.describe import describe
from .._spec.dims import Expr, Fixed, VariadicDim, substitute
from .._spec.dtypes import has_dtype
from .._spec.leaf_conditions import Predicate
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Array,
    Conditional,
    EntriesSpec,
    Extra,
    Field,
    FlatSpec,
    Instance,
    ItemsOf,
    Leaf,
    Literally,
    Map,
    MappingOf,
    Node,
    NoValue,
    Partition,
    RecordOf,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
)
from .._spec.questions import needs_leaf
from .._validation.key_patterns import pattern_of
from .._validation.opening import At, Side, open_binds
from .._validation.scopes import Scope, Var
from ..report import Path, show_path
from .choosing import Chooser, Place, Unsatisfied

T = TypeVar("T")
DTYPES: Final = ("float32", "int32", "bfloat16", "uint32", "bool", "int8", "float16", "complex64")
_MAX_DEPTH: Final = 12
ABSENT: Final[Any] = object()
#: A key that no schema declares, but for a pattern that takes it.
SURPLUS: Final = "surplus"
_jax: Final[Any] = jax


class Generator(msgspec.Struct):
    """One walk over a spec.

    Attributes:
      chooser: decides each open point.
      given: the given sizes by name.
      places: the places where a check is sure to refuse a mutation; the walk fills it.
    """

    chooser: Chooser
    given: dict[str, Any]
    places: list[Place] = msgspec.field(default_factory=list[Place])
    _side: Side = msgspec.field(default_factory=Side)
    _sizes: dict[Var, int] = msgspec.field(default_factory=dict[Var, int])
    _runs: dict[Var, tuple[int, ...]] = msgspec.field(default_factory=dict[Var, tuple[int, ...]])
    _present: dict[Hashable, bool] = msgspec.field(default_factory=dict[Hashable, bool])
    _counts: dict[Hashable, int] = msgspec.field(default_factory=dict[Hashable, int])
    _unsure: int = 0
    _container: str = "state"

    def root(self, spec: Spec) -> Any:
        """The whole tree: nested dicts, a leaf, or a tuple of such; see `wrapped`."""
        if isinstance(spec, TupleOf) and spec.rest is None:
            return tuple(self._top(item) for item in spec.items)
        return self._top(spec)

    def _top(self, spec: Spec) -> Any:
        if isinstance(spec, FlatSpec):
            return self._top(spec.inner)
        found = self._tree(At(spec, Scope(0), outermost=True), (), required=True)
        return {} if found is ABSENT else found

    # -- Trees ---------------------------------------------------------------------------

    def _tree(self, at: At, path: Path, *, required: bool) -> Any:
        at = open_binds(self._side, at, path)
        spec = at.spec
        if len(path) > _MAX_DEPTH:
            raise Unsatisfied(f"{show_path(path)}: the schema has no end")
        match spec:
            case Node(ref):
                schema = ref.resolve()
                return self._level(schema.fields, schema.extra, at, path, required=required)
            case EntriesSpec(items):
                numbered = enumerate(items)
                fields = [Field(str(i), i, item) for i, item in numbered if item is not None]
                return self._level(fields, spec.extra, at, path, required=required)
            case Map():
                self._note(Place(path, spec, required))
                keys = self._keys(spec, at, path)
                return self._under(((key, spec.entry) for key in keys), at, path)
            case StateOfSpec(leaf):
                return self._under((("a", leaf), ("b", leaf)), at, path)
            case Union(options):
                kept = [option for option in options if option != NoValue()] or list(options)
                option = kept[self.chooser.among(len(kept), path)]
                return self._maybe(At(option, at.scope, at.outermost), path)
            case Conditional():
                return self._conditional(spec, at, path)
            case Anything() | ValueSpec() | StateSpec():
                return self._leaf(spec, at, path, required=required)
            case _:
                assert_never(spec)

    def _note(self, place: Place) -> None:
        if not self._unsure:
            self.places.append(place)

    def _maybe(self, at: At, path: Path) -> Any:
        """Makes an alternative and notes no place in it: its mutation may fit another one."""
        self._unsure += 1
        try:
            return self._tree(at, path, required=False)
        finally:
            self._unsure -= 1

    def _level(
        self, fields: Iterable[Field], extra: Extra, at: At, path: Path, *, required: bool
    ) -> dict[Hashable, Any]:
        if not extra.allowed and pattern_of(extra, SURPLUS) is None:
            self._note(Place(path, at.spec, required))
        made: dict[Hashable, Any] = {}
        for item in fields:
            child = (*path, item.key)
            if item.shared is not None or (item.optional and not self._is_there(child)):
                continue
            needed = not item.optional and not isinstance(item.spec, Conditional)
            needed = needed and needs_leaf(item.spec)
            found = self._tree(At(item.spec, at.scope), child, required=needed)
            if found is not ABSENT:
                made[item.key] = found
        for pattern in extra.patterns:
            if pattern.length is not None:
                count = self._size(substitute(pattern.length, at.scope.lookup), path)
                keys = [pattern.key_of(number) for number in range(count)]
                made |= self._under(((key, pattern.entry) for key in keys), at, path)
        return made

    def _is_there(self, path: Path) -> bool:
        """Whether an optional leaf is there."""
        self._side.come_to(path)
        return self._in_each_use(self._present, self.chooser.is_there, path)

    def _count(self, path: Path) -> int:
        """How many entries a map has."""
        return self._in_each_use(self._counts, self.chooser.entries, path)

    def _in_each_use(self, known: dict[Hashable, T], choose: Callable[[Path], T], path: Path) -> T:
        """What is chosen at a path: the same in every use of a type argument around it."""
        if not self._side.arguments:
            return choose(path)
        use = self._side.of(None, path)
        if use not in known:
            known[use] = choose(path)
        return known[use]

    def _under(
        self, items: Iterable[tuple[Hashable, Spec]], at: At, path: Path
    ) -> dict[Hashable, Any]:
        made = {
            key: self._tree(At(spec, at.scope), (*path, key), required=False) for key, spec in items
        }
        return {key: item for key, item in made.items() if item is not ABSENT}

    def _keys(self, spec: Map, at: At, path: Path) -> list[Hashable]:
        if spec.length is None:
            count = self._count(path)
        else:
            count = self._size(substitute(spec.length, at.scope.lookup), path)
        return list(range(count)) if spec.key == "int" else [f"key_{i}" for i in range(count)]

    def _conditional(self, spec: Conditional, at: At, path: Path) -> Any:
        """The branch of a filter decision that agrees with the filter on the value made."""
        test: Callable[[Any, Any], Any] = filterlib.to_predicate(spec.filter)
        keys = path[len(path) - len(spec.path) :]
        for option, answer in ((spec.yes, True), (spec.no, False)):
            if option is None:
                continue
            found = self._maybe(At(option, at.scope, at.outermost), path)
            if spec.open or isinstance(found, dict) or bool(test(keys, found)) is answer:
                return cast(Any, found)
        return ABSENT

    # -- Leaves --------------------------------------------------------------------------

    def _leaf(self, spec: Spec, at: At, path: Path, *, required: bool) -> Any:
        leaf = spec if isinstance(spec, Leaf) else Leaf(None, spec)
        value = self._value(leaf.value, leaf, at, path)
        self._test(leaf.predicates, value, path)
        self._note(Place(path, leaf, required, self._fixed(leaf.value, at)))
        if leaf.kind is None:
            return value
        names = () if leaf.by_dims or leaf.names is None else leaf.names
        shown = tuple(name for name in names if name is not ...)
        if leaf.stacked and shown:
            rank = len(value.shape) if variables.is_shaped(value) else None
            ways = axis_names.spellings(shown, leaf.stacked, rank)
            shown = ways[self.chooser.among(len(ways), path)]
        sums = leaf.storage.sums
        named = shown or sums != ANYWHERE
        metadata = axis_rules.with_names(shown, sums) if named else {}
        return variables.make_variable(leaf.kind, value, metadata)

    def _test(self, predicates: Iterable[Predicate], value: Any, path: Path) -> None:
        for predicate in predicates:
            if not predicate.test(value):
                raise Unsatisfied(f"{show_path(path)}: {predicate.text} refuses what was made")

    def _value(self, value: Spec, leaf: Leaf, at: At, path: Path) -> Any:
        def below(item: Spec) -> Any:
            return self._value(item, leaf, at, path)

        match value:
            case Array():
                return self._array(value, leaf, at, path)
            case Anything():
                return self.chooser.array(leaf, (), "float32", path)
            case NoValue():
                return None
            case Literally(values):
                return values[self.chooser.among(len(values), path)]
            case Instance(cls) if issubclass(cls, bool | int | float | complex | str | bytes):
                return cls()
            case Instance(cls) if (
                issubclass(cls, tuple) and getattr(cast(Any, cls), "_fields", None) == ()
            ):
                return cast(Any, cls)()
            case TupleOf(items, rest):
                return tuple(map(below, (*items, *(() if rest is None else (rest,)))))
            case ItemsOf(cls, item):
                made = below(item)
                return cast(Any, cls)([made]) if cls in (set, frozenset) else [made]
            case MappingOf(_, key, item):
                return {below(key): below(item)}
            case RecordOf(cls, fields):
                made_fields = {name: below(item) for name, item in fields}
                return made_fields if issubclass(cls, dict) else cast(Any, cls)(**made_fields)
            case Union(options):
                return below(options[self.chooser.among(len(options), path)])
            case Validated(inner, predicates):
                made = below(inner)
                self._test(predicates, made, path)
                return made
            case Partition(cls):
                return self._partition(value, cls)
            case Leaf(kind, inner) if kind is not None:
                return variables.make_variable(kind, below(inner), {})
            case Instance() | StateSpec():
                raise Unsatisfied(f"{show_path(path)}: no example of {describe(value)} is known")
            case _:
                assert_never(value)

    def _partition(self, value: Partition, cls: type) -> Any:
        names = tuple(name for name in value.names or () if name is not ...)
        storage = value.storage
        spec = partition(names, storage)
        if cls is PartitionSpec:
            return spec
        entries = (*names, *storage.unreduced, *storage.reduced)
        sizes = {name: 1 for entry in entries for name in axis_names.axes_of(entry)} or {"x": 1}
        devices = np.asarray(_jax.devices()[:1]).reshape((1,) * len(sizes))
        mesh = _jax.sharding.Mesh(devices, tuple(sizes))
        return NamedSharding(mesh, spec, memory_kind=storage.memory_kind)

    def _array(self, array: Array, leaf: Leaf, at: At, path: Path) -> Any:
        shape: list[int] = []
        for dim in array.shape or ():
            if isinstance(dim, VariadicDim):
                shape += self._run(dim, at, path)
            elif dim.expr is None:
                shape.append(self.chooser.size("_", path))
            else:
                shape.append(self._size(substitute(dim.expr, at.scope.lookup), path))
        for index, axis in array.inserted:
            expr = axis.expr or Fixed(1)
            size = self._size(substitute(expr, at.scope.lookup), path)
            shape.insert(index if index >= 0 else len(shape) + 1 + index, size)
        dtype = self._dtype(array, path)
        if array.abstract:
            found = _jax.eval_shape(lambda: zeros((), dtype)).dtype
            return _jax.ShapeDtypeStruct(tuple(shape), found)
        made = self.chooser.array(leaf, tuple(shape), dtype, path)
        return np.asarray(made) if array.cls is np.ndarray else made

    def _dtype(self, array: Array, path: Path) -> str:
        if array.dtypes is None:
            return "float32"
        if "prng_key" in array.dtypes:
            return "prng_key"
        fitting = [name for name in DTYPES if has_dtype(jnp.dtype(name), array.dtypes)]
        fitting = fitting or [name for name in array.dtypes if isinstance(name, str)]
        return fitting[self.chooser.among(len(fitting), path)]

    # -- Sizes ---------------------------------------------------------------------------

    def _size(self, expr: Expr[Var], path: Path) -> int:
        for var in dims.names_of(expr):
            if var not in self._sizes:
                name = var.name.lstrip("^")
                known = self.given.get(name)
                self._sizes[var] = self.chooser.size(name, path) if known is None else known
        size = dims.evaluate(expr, self._sizes)
        if size is None or size < 0:
            raise Unsatisfied(f"{show_path(path)}: what was chosen is no size")
        return size

    def _run(self, dim: VariadicDim, at: At, path: Path) -> tuple[int, ...]:
        if dim.name is None:
            return self.chooser.run("...", path)
        expr = at.scope.lookup(dim.name)
        if not isinstance(expr, dims.Name):
            return (self._size(expr, path),)
        var = expr.name
        if var not in self._runs:
            known = self.given.get(dim.name)
            self._runs[var] = self.chooser.run(dim.name, path) if known is None else tuple(known)
        return self._runs[var]

    def _fixed(self, value: Spec, at: At) -> tuple[int | None, ...] | None:
        """The sizes of an array, None for one that a name decides; None if the rank is unknown."""
        if not isinstance(value, Array) or value.shape is None or value.inserted:
            return None
        sizes: list[int | None] = []
        for dim in value.shape:
            if isinstance(dim, VariadicDim):
                return None
            plain = dim.expr is not None and not dim.broadcast
            expr = substitute(dim.expr, at.scope.lookup) if plain and dim.expr else None
            sizes.append(expr.value if isinstance(expr, Fixed) else None)
        return tuple(sizes)


def zeros(shape: tuple[int, ...], dtype: str) -> Any:
    """An array of zeros, or of PRNG keys."""
    if dtype != "prng_key":
        return _jax.numpy.zeros(shape, dtype)
    return _jax.random.split(_jax.random.key(0), shape) if shape else _jax.random.key(0)
