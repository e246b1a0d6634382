"""The fast path answers as the walk does, whatever is done to an accepted value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st

from tests import zoo
from tests.fastpath.helpers import GuardedState, guarded, learn, learned, raw
from tests.zoo import leaf, named
from typedstate import Only, StateOf, explain
from typedstate._compat import variables


class Special(nnx.Param):
    """A kind of a user's own."""


def dicts_of(tree: Any) -> list[dict[Any, Any]]:
    found = [tree]
    for item in tree.values():
        found += dicts_of(item) if isinstance(item, dict) else []
    return found


def as_array(item: Any) -> Any:
    found = raw(item)
    return found if hasattr(found, "shape") and jnp.issubdtype(found.dtype, jnp.number) else None


def with_value(item: Any, value: Any) -> Any:
    """The same kind of leaf with another value."""
    return leaf(variables.kind_of(item), value) if variables.is_variable(item) else value


def reshaped(item: Any) -> Any:
    found = as_array(item)
    return item if found is None else with_value(item, jnp.asarray(np.ones((*found.shape, 1))))


def grown(item: Any) -> Any:
    found = as_array(item)
    if found is None:
        return item
    return with_value(item, jnp.asarray(np.ones([n + 1 for n in found.shape], np.float32)))


def other_dtype(item: Any) -> Any:
    found = as_array(item)
    if found is None:
        return item
    return with_value(item, jnp.asarray(np.ones(found.shape, ml_dtypes.bfloat16)))


LEAF_MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "kind": lambda item: leaf(nnx.BatchStat, raw(item)),
    "subclass": lambda item: leaf(Special, raw(item)),
    "rank": reshaped,
    "size": grown,
    "dtype": other_dtype,
    "numpy": lambda item: (
        with_value(item, np.asarray(as_array(item))) if as_array(item) is not None else item
    ),
    "raw": raw,
    "abstract": lambda item: (
        with_value(item, jax.ShapeDtypeStruct(as_array(item).shape, as_array(item).dtype))
        if as_array(item) is not None
        else item
    ),
    "names": lambda item: named(nnx.Param, raw(item), "embed", "mlp"),
    "renamed": lambda item: named(nnx.Param, raw(item), "embed"),
    "no value": lambda item: None,
    "scalar": lambda item: 1.5,
    "tree": lambda item: {"value": item},
    "tuple": lambda item: with_value(item, (1, 2)),
    "copy": lambda item: item,
}
KEYS = (0, 1, "0", "kernel", "bias", "extra", True, 1.0, np.int64(1), 7, ("a", "b"), "x")


@st.composite
def mutated(draw: st.DrawFn, tree: dict[Any, Any]) -> Any:
    """A tree like `tree` but for at most three mutations, as a State or as it is."""
    tree = zoo.as_dict(tree)
    for _ in range(draw(st.integers(0, 3))):
        node = draw(st.sampled_from(dicts_of(tree)))
        if not node:
            continue
        key = draw(st.sampled_from(list(node)))
        action = draw(st.sampled_from(["leaf", "leaf", "leaf", "drop", "rename", "add", "nest"]))
        if action == "drop":
            del node[key]
        elif action == "rename":
            item = node.pop(key)
            node[draw(st.sampled_from(KEYS))] = item
        elif action == "add":
            node[draw(st.sampled_from(KEYS))] = node[key]
        elif action == "nest" and isinstance(node[key], dict):
            node[key] = nnx.State(node[key])
        elif action == "leaf" and not isinstance(node[key], dict | nnx.State):
            node[key] = LEAF_MUTATIONS[draw(st.sampled_from(list(LEAF_MUTATIONS)))](node[key])
    return nnx.State(tree) if draw(st.sampled_from([True, True, True, False])) else tree


ANIMALS = [animal for animal in zoo.ZOO if animal.name in ("mlp", "stack", "sequential", "tied")]
CASES = [(animal.schema, nnx.state(animal.make())) for animal in ANIMALS]
CASES += [(GuardedState, guarded()), (StateOf[nnx.Param], nnx.state(ANIMALS[0].make()))]
CASES += [(Only[zoo.MlpState, nnx.Param], nnx.state(ANIMALS[0].make(), nnx.Param))]


@settings(max_examples=250)
@given(st.data())
def test_the_fast_path_never_accepts_what_the_explainer_refuses(data: st.DataObject) -> None:
    hint, value = data.draw(st.sampled_from(CASES))
    known = learned(hint, value)
    for _ in range(4):  # what is accepted on the way is learned too, as at a boundary
        other = data.draw(mutated(value))
        fast = known.accepts(other) is not None
        accepted = learn(known, hint, other)
        assert accepted or not fast
        assert isinstance(other, hint) is accepted
        assert bool(explain(other, hint)) is accepted


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_the_fast_path_recognises_the_same_structure(animal: zoo.Animal) -> None:
    known = learned(animal.schema, nnx.state(animal.make()))
    assert known.accepts(nnx.state(animal.make())) is not None
