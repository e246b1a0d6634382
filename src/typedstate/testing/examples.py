"""`example`: a real state that fits a schema, with values like those of a new layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import jax
import jax.numpy as jnp
import msgspec
from flax import nnx
from typing_extensions import TypeForm

from .._annotations.spec_of import name_of, spec_of
from .._compat import variables
from .._spec.flat_trees import flattened
from .._spec.nodes import FlatSpec, Leaf, Spec
from .._spec.questions import outermost_names
from .._spec.written_dims import written_names
from ..derive.trees import shardings
from ..errors import SchemaError
from ..report import Path
from .choosing import Unsatisfied
from .generator import Generator

T = TypeVar("T")
_PRIMES: Final = (2, 3, 5, 7, 11, 13, 17, 19)
_ONES: Final = frozenset({"scale", "var", "multiplier"})
_jax: Final[Any] = jax
_jnp: Final[Any] = jnp


def example(
    hint: TypeForm[T],
    key: Any = 0,
    *,
    mesh: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> T:
    """A tree of real arrays that fits a hint.

    Kernels are drawn from a normal distribution of variance 1 / fan-in, biases and counters are
    zero, scales and variances one, PRNG keys are made from `key`. Each dim without a given size
    gets a small size that no other has; optional leaves are present, a map has two entries, a
    union takes its first alternative::

        state = example(ModelState, jax.random.key(0), d=8, layers=2)

    Args:
      hint: a schema or a form of one, abstract ones too.
      key: a PRNG key, or the seed of one.
      mesh: the mesh on which arrays are placed as the schema declares; without, on one device.
      dims: sizes by name, for names that can't be keywords.
      sizes: sizes of the hint's dims; a tuple for ``*name``.

    Raises:
      SchemaError: no fitting value is known, or the hint has no dim of a given name.
    """
    spec = spec_of(hint)
    given = {**(dims or {}), **sizes}
    known = [*outermost_names(spec), *written_names(spec)]
    title = f"example({name_of(hint)})"
    for name in given:
        if name not in known:
            has = ", ".join(dict.fromkeys(known)) or "none"
            raise SchemaError(f"{title}: there is no dim {name!r}; there are {has}")
    seed = _jax.random.key(key) if isinstance(key, int) else key
    step = 1 if mesh is None else mesh.size
    try:
        tree = Generator(Sensible(seed, step), given).root(spec)
    except Unsatisfied as error:
        raise SchemaError(f"{title} can't be made: {error}") from None
    return placed(wrapped(spec, tree), hint, mesh)  # type: ignore[no-any-return]


def wrapped(spec: Spec, tree: Any) -> Any:
    """The nested dicts in the container that the hint declares: a State, a dict, or a flat tree.

    If the root is a leaf, it is returned as it is.
    """
    from ..comparison.levels import container_of

    if isinstance(spec, FlatSpec):
        return flattened(wrapped(spec.inner, tree), spec)
    if isinstance(tree, tuple):
        items: tuple[Any, ...] = cast(Any, tree)
        below = getattr(spec, "items", (spec,) * len(items))
        made = [wrapped(one, item) for one, item in zip(below, items, strict=False)]
        return tuple(made) if type(items) is tuple else items
    if not isinstance(tree, dict) or container_of(spec) == "dict":
        return cast(Any, tree)
    return variables.State(tree)


def placed(tree: Any, hint: Any, mesh: Any) -> Any:
    """The tree placed on a mesh; without a mesh as it is."""
    if mesh is None:
        return tree
    where: Any = cast(Any, shardings)(hint, mesh, like=tree)
    return _jax.device_put(tree, where)


class Sensible(msgspec.Struct):
    """Chooses small, distinct sizes, and all optional leaves.

    Attributes:
      key: the PRNG key of all random values.
      step: a common divisor of all sizes, so that a mesh can split them.
    """

    key: Any
    step: int = 1
    _sizes: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    _count: int = 0

    def size(self, name: str, path: Path) -> int:
        """A different prime for each name, times `step`: a transposed array does not fit."""
        free = _PRIMES[len(self._sizes) % len(_PRIMES)] * self.step
        return self._sizes.setdefault(name, free)

    def run(self, name: str, path: Path) -> tuple[int, ...]:
        """Two axes."""
        return (self.size(f"*{name}", path), 2 * self.step)

    def among(self, count: int, path: Path) -> int:
        """The first alternative."""
        return 0

    def is_there(self, path: Path) -> bool:
        """Always."""
        return True

    def entries(self, path: Path) -> int:
        """Two entries."""
        return 2

    def array(self, leaf: Leaf, shape: tuple[int, ...], dtype: str, path: Path) -> Any:
        """The initial value of a layer's leaf, by its dtype, rank and key."""
        self._count += 1
        own = _jax.random.fold_in(self.key, self._count)
        if dtype == "prng_key":
            return _jax.random.split(own, shape) if shape else own
        last = str(path[-1]) if path else ""
        if not jnp.issubdtype(jnp.dtype(dtype), jnp.floating):
            return _jnp.zeros(shape, dtype)
        if last in _ONES:
            return _jnp.ones(shape, dtype)
        if len(shape) < 2 or (leaf.kind is not None and not issubclass(leaf.kind, nnx.Param)):
            return _jnp.zeros(shape, dtype)
        fan_in = max(1, math.prod(shape[:-1]))
        return (_jax.random.normal(own, shape) / math.sqrt(fan_in)).astype(dtype)
