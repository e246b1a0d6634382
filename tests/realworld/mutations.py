"""Single mutations of a state: each makes it one that its schema must refuse."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from tests.zoo import as_dict
from typedstate._annotations.spec_of import spec_of
from typedstate._compat import variables
from typedstate._spec.node_groups import LevelSpec
from typedstate._spec.nodes import Spec
from typedstate._spec.questions import needs_leaf
from typedstate._validation.opening import At, Side, open_binds
from typedstate._validation.scopes import Scope
from typedstate.comparison.levels import Level


def mutations(state: Any, schema: Any, count: int, seed: int) -> Iterator[tuple[str, Any]]:
    """Copies of a state with one thing wrong: what is optional may be absent, or be there.

    Args:
      state: fits the schema.
      schema: says which leaves are optional, such as the biases of the catalogue's layers.
      count: of the mutations that are tried; those that a leaf can't have are left out.
      seed: for the choice of leaves and mutations.
    """
    spec = spec_of(schema)
    rng = random.Random(seed)
    paths = list(_paths(as_dict(state)))
    for _ in range(count):
        name, mutate = rng.choice(_MUTATIONS)
        tree = as_dict(state)
        path = rng.choice(paths)
        found = mutate(tree, path, rng)
        if found and mutate in (_drop, _extra):
            changed = _changed(as_dict(state), tree, path)
            found = "" if _is_optional(spec, changed) else found
        if found:
            yield f"{name} at {'.'.join(map(str, path))} ({found})", nnx.State(tree)


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if not isinstance(tree, dict):
        yield path
        return
    for key, item in tree.items():
        yield from _paths(item, (*path, key))


def _changed(before: Any, after: Any, path: tuple[Any, ...]) -> tuple[Any, ...]:
    """The path, along that of a leaf, of the branch or leaf that is gone or new."""
    for depth, key in enumerate(path):
        other = set(before) ^ set(after)
        if other:
            return (*path[:depth], other.pop())
        before, after = before[key], after[key]
    raise AssertionError("nothing is gone, and nothing new")


def _is_optional(spec: Spec, path: tuple[Any, ...]) -> bool:
    """Whether the leaf or branch at a path may be absent."""
    inner = open_binds(Side(), At(spec, Scope(0), outermost=True)).spec
    if not isinstance(inner, LevelSpec):
        return False
    level, (key, *rest) = Level.of(inner), path
    field = level.fields.get(key)
    if field is not None:
        may_lack = field.optional or not needs_leaf(field.spec)
        return _is_optional(field.spec, tuple(rest)) if rest else may_lack
    return bool(rest) and any(_is_optional(one, tuple(rest)) for one in level.under(key))


def _parent(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def _value(leaf: Any) -> Any:
    return variables.raw_value(leaf) if variables.is_variable(leaf) else leaf


def _with_value(leaf: Any, value: Any) -> Any:
    if not variables.is_variable(leaf):
        return value
    return type(leaf).from_metadata(value, dict(leaf.get_metadata()))


def _replace(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    parent = _parent(tree, path)
    parent[path[-1]] = _with_value(parent[path[-1]], value)


def _is_key(value: Any) -> bool:
    return jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def _size(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    value = _value(_parent(tree, path)[path[-1]])
    if not hasattr(value, "shape") or not value.shape or _is_key(value):
        return ""
    axis = rng.randrange(value.ndim)
    shape = list(value.shape)
    shape[axis] += rng.choice([1, 2, 7])
    _replace(tree, path, jnp.zeros(shape, value.dtype))
    return f"{value.shape} to {tuple(shape)}"


def _rank(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    value = _value(_parent(tree, path)[path[-1]])
    if not hasattr(value, "shape") or _is_key(value):
        return ""
    _replace(tree, path, jnp.zeros((1, *value.shape), value.dtype))
    return "one more axis"


def _dtype(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    value = _value(_parent(tree, path)[path[-1]])
    if not hasattr(value, "shape"):
        return ""
    shape = value.shape
    other = jnp.int8 if not _is_key(value) and value.dtype != jnp.int8 else jnp.float16
    _replace(tree, path, jnp.zeros(shape, other))
    return f"{value.dtype} to {jnp.dtype(other).name}"


class Stranger(nnx.Variable[Any]):
    """A kind that no model has."""


def _kind(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    leaf = _parent(tree, path)[path[-1]]
    if not variables.is_variable(leaf) or type(leaf) is nnx.Variable:
        return ""
    kind = Stranger if rng.random() < 0.5 else nnx.Intermediate
    _parent(tree, path)[path[-1]] = kind.from_metadata(_value(leaf), dict(leaf.get_metadata()))
    return f"{type(leaf).__name__} to {kind.__name__}"


def _no_variable(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    leaf = _parent(tree, path)[path[-1]]
    wrapped = nnx.Param(leaf) if not variables.is_variable(leaf) else _value(leaf)
    _parent(tree, path)[path[-1]] = wrapped
    return "a Variable for a value, or the reverse"


def _drop(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    del _parent(tree, path)[path[-1]]
    while len(path) > 1 and not _parent(tree, path):
        path = path[:-1]
        del _parent(tree, path)[path[-1]]
    return "gone"


def _rename(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    depth = rng.randrange(1, len(path) + 1)
    parent = _parent(tree, path[:depth])
    key = path[depth - 1]
    new = str(key) if isinstance(key, int) else f"{key}_"
    parent[new] = parent.pop(key)
    return f"{key!r} is {new!r}"


def _extra(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    depth = rng.randrange(1, len(path) + 1)
    parent = _parent(tree, path[:depth])
    ints = all(isinstance(key, int) for key in parent)
    new = len(parent) + rng.choice([0, 3]) if ints else "more"
    if new in parent:
        return ""
    parent[new] = parent[path[depth - 1]]
    return f"{new!r} too"


def _deeper(tree: Any, path: tuple[Any, ...], rng: random.Random) -> str:
    parent = _parent(tree, path)
    parent[path[-1]] = {"value": parent[path[-1]]}
    return "one level deeper"


_MUTATIONS: list[tuple[str, Callable[[Any, tuple[Any, ...], random.Random], str]]] = [
    ("size", _size),
    ("size", _size),
    ("rank", _rank),
    ("dtype", _dtype),
    ("kind", _kind),
    ("no Variable", _no_variable),
    ("drop", _drop),
    ("rename", _rename),
    ("extra", _extra),
    ("deeper", _deeper),
]
