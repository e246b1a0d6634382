"""A schema from a state accepts it, refuses it with one thing changed, and says what is tied."""

from __future__ import annotations

import copy
import functools
import sys
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis import given, strategies as st

from tests.zoo import (
    ZOO,
    Animal,
    Mlp,
    as_dict,
    leaf,
    state,
)
from typedstate import Abstract, Only, Pure, SchemaError, TypedState, explain, fits
from typedstate._compat import variables
from typedstate.export.source import to_source
from typedstate.inference.infer import infer


def _linear(din: int, dout: int) -> nnx.Linear:
    return nnx.Linear(din, dout, rngs=nnx.Rngs(0))


animals = pytest.mark.parametrize("animal", ZOO, ids=lambda animal: animal.name)


@animals
def test_a_state_fits_the_schema_inferred_from_it(animal: Animal) -> None:
    module = animal.make()
    tree = nnx.state(module)
    pure = as_dict(tree)
    for schema in (infer(module), infer(tree), infer(pure), infer(module, fix=True)):
        assert explain(tree, schema)
        assert isinstance(tree, schema)
    assert fits(module, Annotated[type(module), infer(module)])


@animals
def test_an_abstract_model_gives_the_schema_of_the_concrete_one(animal: Animal) -> None:
    abstract = nnx.eval_shape(animal.make)
    if animal.name == "tied" and "scale" not in nnx.state(abstract):
        pytest.skip("the state of this Flax's abstract modules lacks their raw arrays")
    schema = infer(abstract)
    assert explain(nnx.state(abstract), Abstract[schema])
    assert explain(nnx.state(animal.make()), schema)


@animals
def test_the_pure_dict_of_a_state_has_a_schema(animal: Animal) -> None:
    pure = nnx.to_pure_dict(nnx.state(animal.make()))
    assert explain(pure, infer(pure))
    if animal.name not in ("adam", "clipped adamw", "momentum"):  # those have no pure dict
        assert explain(pure, Pure[infer(animal.make())])


# -- One mutation --------------------------------------------------------------------------


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(tree, dict):
        return [path]
    return [found for key, item in tree.items() for found in _paths(item, (*path, key))]


def _resized(value: Any, axis: int) -> Any:
    shape = list(value.shape)
    if not shape:
        shape = [2]
    else:
        shape[axis % len(shape)] += 1
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return jax.random.split(jax.random.key(0), tuple(shape))
    return jnp.zeros(shape, value.dtype)


@functools.cache
def _inferred(name: str) -> tuple[Any, Any]:
    """The state of an animal, and its schema."""
    (animal,) = [animal for animal in ZOO if animal.name == name]
    tree = as_dict(nnx.state(animal.make()))
    return tree, infer(tree, fix=True)


@st.composite
def _mutated(draw: st.DrawFn) -> tuple[Any, Any, str]:
    """A state with one thing changed, the schema of what it was, and what is changed."""
    animal = draw(st.sampled_from(ZOO))
    tree, schema = _inferred(animal.name)
    changed = copy.copy(tree)
    path = draw(st.sampled_from(_paths(tree)))
    optional = path[-1] in ("bias", "scale", "rngs") or "rngs" in path or "cache" in str(path[-1])
    parent = changed
    for key in path[:-1]:
        parent[key] = copy.copy(parent[key])
        parent = parent[key]
    old = parent[path[-1]]
    ways = ["size", "kind", "rename", "extra", "dtype", *([] if optional else ["drop"])]
    what = draw(st.sampled_from(ways))
    value = variables.raw_value(old) if variables.is_variable(old) else old
    kind = variables.kind_of(old) if variables.is_variable(old) else None
    match what:
        case "size":
            # runs of axes, of a convolution's window and of a cache's batch, have no size to fix
            axis = 3 if value.ndim == 4 else draw(st.integers(0, 3))
            new = _resized(value, axis)
            parent[path[-1]] = new if kind is None else leaf(kind, new)
        case "dtype":
            new = jnp.zeros(value.shape, jnp.int8)
            parent[path[-1]] = new if kind is None else leaf(kind, new)
        case "kind":
            parent[path[-1]] = leaf(nnx.Intermediate, value)
        case "rename":
            parent[f"{path[-1]}_"] = parent.pop(path[-1])
        case "drop":
            del parent[path[-1]]
        case "extra":
            parent["more"] = old
    return changed, schema, f"{what} at {path} of {animal.name}"


@given(_mutated())
def test_one_mutation_is_refused(case: tuple[Any, Any, str]) -> None:
    changed, schema, what = case
    assert not isinstance(changed, schema), what
    assert not explain(changed, schema), what


# -- Keys, forms, mistakes -----------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        *("values", "class", "__x", "__init__", "a b", 'quo"te', "new\nline", "{x}"),
        *("ﬁ", "", "1", "of", "'''; import os", -1, ("a", 0)),
    ],
)
def test_keys_that_are_no_attributes_have_an_alias(key: Any) -> None:
    tree = {key: leaf(nnx.Param, jnp.zeros(2)), "values_": leaf(nnx.Param, jnp.zeros(2))}
    schema = infer(tree)
    assert explain(tree, schema)
    assert not explain({**tree, key: leaf(nnx.Param, jnp.zeros(3))}, schema)
    names: dict[str, Any] = {}
    exec(to_source(schema), names)
    assert explain(tree, list(names.values())[-1])


def test_an_inferred_schema_is_one_for_the_forms() -> None:
    module = Mlp(2, 3, rngs=nnx.Rngs(0))
    schema = infer(module)
    assert issubclass(schema, TypedState)
    assert schema.__name__ == "MlpState"
    assert isinstance(schema.of(module), nnx.State)
    assert explain(nnx.state(module, nnx.Param), Only[schema, nnx.Param])


def test_entries_at_the_root_give_a_map() -> None:
    root = {0: as_dict(nnx.state(_linear(2, 2))), 1: as_dict(nnx.state(_linear(2, 2)))}
    assert explain(root, infer(root))
    assert explain({0: root[0]}, infer(root))
    assert not explain({0: root[0]}, infer(root, fix=True))


def test_no_leaves_no_fields() -> None:
    assert explain(nnx.State({}), infer(nnx.State({})))
    assert not explain(state({"a": leaf(nnx.Param, jnp.zeros(2))}), infer(nnx.State({})))


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "int"), (jnp.zeros(2), "ArrayImpl"), ((1, 2), "tuple")]
)
def test_what_is_no_tree_is_refused(value: Any, shown: str) -> None:
    text = f"infer takes a state, a module or a nested dict of leaves, not {shown}"
    with pytest.raises(SchemaError, match=text):
        infer(value)


@pytest.mark.parametrize("name", ["", "a b", "S\0", "x; import os"])
def test_a_name_that_no_class_can_have_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="is no name for a class"):
        infer(_linear(2, 3), name=name)


def test_nesting_too_deep_for_a_schema_is_said() -> None:
    tree: Any = leaf(nnx.Param, jnp.zeros(2))
    for _ in range(3_000):
        tree = {"a": tree}
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)  # a type checker that runs in this process raises it
    try:
        with pytest.raises(SchemaError, match="nested too deeply"):
            infer(tree)
    finally:
        sys.setrecursionlimit(limit)


def test_kinds_that_differ_are_of_a_common_base() -> None:
    state = nnx.State({0: nnx.Param(jnp.ones((6, 7))), 1: nnx.BatchStat(jnp.ones((6, 7)))})
    found = infer(state)
    assert fits(state, found)
    assert "Exactly" not in to_source(found)


def test_a_position_that_one_of_several_lacks_may_be_absent() -> None:
    def level(*keys: int) -> dict[str, Any]:
        return {"x": {key: nnx.Param(jnp.ones((6, 7))) for key in keys}}

    state = nnx.State({"first": level(0, 1), "second": level(1)})
    found = infer(state)
    assert fits(state, found), str(explain(state, found))
    assert "Entries[" in to_source(found)
    assert not fits(nnx.State({"first": level(0, 1), "second": level(0)}), found)
