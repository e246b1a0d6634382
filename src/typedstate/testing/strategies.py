"""Hypothesis strategies: states that fit a schema, and states with one known fault."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import jax
import jax.numpy as jnp
import msgspec
from flax import nnx
from hypothesis import reject, strategies as st
from typing_extensions import TypeForm

from .._annotations.spec_of import spec_of
from .._compat import axis_rules, variables
from .._spec.dtypes import has_dtype
from .._spec.nodes import Array, EntriesSpec, FlatSpec, Leaf, Map, Node, Spec
from ..report import Code, Path, show_path
from .choosing import Place, Unsatisfied
from .examples import placed, wrapped
from .generator import DTYPES, SURPLUS, Generator, zeros

T = TypeVar("T")
_jax: Final[Any] = jax
_jnp: Final[Any] = jnp


class _Stranger(nnx.Variable):  # type: ignore[type-arg]
    """A Variable class that no schema declares."""


@dataclass(frozen=True, slots=True)
class BrokenState:
    """A state with one fault.

    Attributes:
      value: the state.
      name: the mutation that was made, in words.
      code: the code of the violation that a report must have.
      path: the path of that violation, as reports write it.
    """

    value: Any
    name: str
    code: Code
    path: str


def states(hint: TypeForm[T], *, mesh: Any = None, **sizes: Any) -> st.SearchStrategy[T]:
    """Trees that fit a hint, of any sizes, with and without optional leaves.

    Trees that a validator in the hint refuses are discarded.

    Args:
      hint: a schema or a form of one, abstract ones too.
      mesh: the mesh on which arrays are placed as the schema declares; without, on one device.
      sizes: sizes of the hint's dims that shall not vary.
    """

    @st.composite
    def build(draw: st.DrawFn) -> Any:
        tree, _ = _drawn(draw, hint, mesh, sizes)
        return placed(wrapped(spec_of(hint), tree), hint, mesh)

    return build()


def broken_states(hint: Any, **sizes: Any) -> st.SearchStrategy[BrokenState]:
    """Trees with one fault, and the code and path that a report must have.

    Args:
      hint: a schema or a form of one.
      sizes: sizes of the hint's dims that shall not vary.
    """

    @st.composite
    def build(draw: st.DrawFn) -> BrokenState:
        spec = spec_of(hint)
        tree, places = _drawn(draw, hint, None, sizes)
        faults = [
            fault
            for place in places
            for fault in _faults(place, tree)
            if _is_said(fault, spec, tree)
        ]
        if not faults:
            reject()
        chosen = faults[draw(st.integers(0, len(faults) - 1))]
        value = wrapped(spec, chosen.apply(_copied(tree)))
        return BrokenState(value, chosen.name, chosen.code, show_path(chosen.path))

    return build()


def _drawn(draw: st.DrawFn, hint: Any, mesh: Any, sizes: dict[str, Any]) -> tuple[Any, list[Place]]:
    step = 1 if mesh is None else mesh.size
    generator = Generator(_Drawing(draw, step), sizes)
    try:
        return generator.root(spec_of(hint)), generator.places
    except Unsatisfied:
        reject()


class _Drawing(msgspec.Struct):
    """Lets hypothesis choose."""

    draw: Any
    step: int

    def size(self, name: str, path: Path) -> int:
        """From 1 to 4."""
        return int(self.draw(st.integers(1, 4))) * self.step

    def run(self, name: str, path: Path) -> tuple[int, ...]:
        """Up to two axes."""
        found: list[int] = self.draw(st.lists(st.integers(1, 3), max_size=2))
        return tuple(size * self.step for size in found)

    def among(self, count: int, path: Path) -> int:
        """Any alternative."""
        return int(self.draw(st.integers(0, count - 1)))

    def is_there(self, path: Path) -> bool:
        """Present or not."""
        return bool(self.draw(st.booleans()))

    def entries(self, path: Path) -> int:
        """Up to three entries."""
        return int(self.draw(st.integers(1, 3)))

    def array(self, leaf: Leaf, shape: tuple[int, ...], dtype: str, path: Path) -> Any:
        """An array of one repeated value: no schema depends on single elements."""
        if dtype == "prng_key":
            return zeros(shape, dtype)
        return _jnp.full(shape, self.draw(st.integers(0, 2)), dtype)


# -- Faults --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fault:
    name: str
    code: Code
    path: Path
    apply: Callable[[Any], Any]


def _faults(place: Place, tree: Any) -> Iterator[_Fault]:
    """Yields the mutations that a place allows."""
    path, spec = place.path, place.spec
    old = _at(tree, path)
    if place.required and path:
        yield _Fault("something is missing", "missing", path, lambda tree: _without(tree, path))
    if isinstance(spec, Node | EntriesSpec):
        added = (*path, SURPLUS)
        yield _Fault(
            "an undeclared key", "extra", added, lambda tree: _with(tree, added, _jnp.ones(()))
        )
    if isinstance(spec, Node | EntriesSpec | Map) and path:
        yield _changed("an array for a sub-state", "container", path, _jnp.ones(()))
    if isinstance(spec, Map) and spec.key == "int" and old:
        text = {str(key): item for key, item in old.items()}
        yield _changed("str keys", "key", path, text)
    if isinstance(spec, Leaf) and path:
        yield from _leaf_faults(place, spec, old)


def _is_said(fault: _Fault, spec: Spec, tree: Any) -> bool:
    """Whether a mutation can be seen in the tree as the hint declares it.

    A flat tree has no branch without leaves, and joined keys are all str.
    """
    if not isinstance(spec, FlatSpec):
        return True
    if fault.name == "str keys":
        return spec.separator is None
    return fault.code != "missing" or len(_at(tree, fault.path[:-1])) > 1


def _leaf_faults(place: Place, spec: Leaf, old: Any) -> Iterator[_Fault]:
    path, kind = place.path, spec.kind
    value = variables.raw_value(old) if kind is not None else old
    metadata = dict(variables.metadata_of(old)) if kind is not None else {}

    def again(new: Any) -> Any:
        return new if kind is None else variables.make_variable(kind, new, metadata)

    if kind is not None:
        if not issubclass(_Stranger, kind):
            other = variables.make_variable(_Stranger, value, {})
            yield _changed("another kind", "kind", path, other)
        if spec.names and ... not in spec.names and not spec.by_dims:
            names = axis_rules.with_names(("another",))
            renamed = variables.make_variable(kind, value, names)
            if spec.names != ("another",):
                yield _changed("other axis names", "sharding", path, renamed)
    if not isinstance(spec.value, Array):
        return
    wrong = [name for name in DTYPES if _refuses(spec.value, name)]
    if wrong:
        retyped = _array_like(value, value.shape, wrong[0])
        yield _changed("another dtype", "dtype", path, again(retyped))
    if place.sizes is None:
        return
    longer = _array_like(value, (*value.shape, 2), value.dtype)
    yield _changed("one more axis", "rank", path, again(longer))
    for axis, size in enumerate(place.sizes):
        if size is not None:
            shape = (*value.shape[:axis], size + 1, *value.shape[axis + 1 :])
            grown = _array_like(value, shape, value.dtype)
            yield _changed("another size", "size", path, again(grown))


def _refuses(array: Array, dtype: str) -> bool:
    return array.dtypes is not None and not has_dtype(jnp.dtype(dtype), array.dtypes)


def _array_like(old: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    if isinstance(old, jax.ShapeDtypeStruct):
        return _jax.ShapeDtypeStruct(shape, jnp.dtype(dtype) if isinstance(dtype, str) else dtype)
    if _jax.dtypes.issubdtype(dtype, _jax.dtypes.prng_key):
        return zeros(shape, "prng_key")
    made = _jnp.zeros(shape, dtype)
    return made if isinstance(old, jax.Array) else _jax.device_get(made)


def _changed(name: str, code: Code, path: Path, new: Any) -> _Fault:
    return _Fault(name, code, path, lambda tree: _with(tree, path, new))


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _with(tree: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    _at(tree, path[:-1])[path[-1]] = new
    return tree


def _without(tree: Any, path: Path) -> Any:
    del _at(tree, path[:-1])[path[-1]]
    return tree


def _copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        items: dict[Hashable, Any] = cast(Any, tree)
        return {key: _copied(item) for key, item in items.items()}
    return tree
