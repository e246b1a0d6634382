"""A schema from a state accepts it, refuses it with one thing changed, and says what is tied."""

from __future__ import annotations

import copy
import functools
import textwrap
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given, strategies as st

from tests.zoo import (
    ZOO,
    Animal,
    Mlp,
    Stack,
    as_dict,
    leaf,
    list_of,
    named,
    state,
)
from typedstate import Abstract, Only, Pure, SchemaError, TypedState, explain, fits
from typedstate._compat import variables
from typedstate.export.source import to_source
from typedstate.inference.infer import infer


def _source(example: Any, *more: Any, name: str = "S") -> str:
    """The classes of an inferred schema, without imports."""
    return "class " + to_source(infer(example, *more, name=name)).partition("class ")[2]


def _code(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def _linear(din: int, dout: int) -> nnx.Linear:
    return nnx.Linear(din, dout, rngs=nnx.Rngs(0))


animals = pytest.mark.parametrize("animal", ZOO, ids=lambda animal: animal.name)


@animals
def test_a_state_fits_the_schema_inferred_from_it(animal: Animal) -> None:
    module = animal.make()
    tree = nnx.state(module)
    for schema in (infer(module), infer(tree), infer(as_dict(tree))):
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
    return tree, infer(tree)


@st.composite
def _mutated(draw: st.DrawFn) -> tuple[Any, Any, str]:
    """A state with one thing changed, the schema of what it was, and what is changed."""
    animal = draw(st.sampled_from(ZOO))
    tree, schema = _inferred(animal.name)
    changed = copy.copy(tree)
    path = draw(st.sampled_from(_paths(tree)))
    parent = changed
    for key in path[:-1]:
        parent[key] = copy.copy(parent[key])
        parent = parent[key]
    old = parent[path[-1]]
    what = draw(st.sampled_from(["size", "kind", "rename", "drop", "extra", "dtype"]))
    value = variables.raw_value(old) if variables.is_variable(old) else old
    kind = variables.kind_of(old) if variables.is_variable(old) else None
    match what:
        case "size":
            new = _resized(value, draw(st.integers(0, 3)))
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


# -- Dims ----------------------------------------------------------------------------------


def test_of_one_example_a_bias_is_tied_to_its_kernel_and_other_sizes_are_fixed() -> None:
    assert _source(_linear(2, 3)) == _code("""
        class S(TypedState):
            bias: nnx.Param[Float32[Array, "dout"]]
            kernel: nnx.Param[Float32[Array, "2 dout"]]
        """)


def test_a_square_kernel_keeps_its_axes_apart() -> None:
    assert _source(_linear(3, 3)) == _code("""
        class S(TypedState):
            bias: nnx.Param[Float32[Array, "dout"]]
            kernel: nnx.Param[Float32[Array, "3 dout"]]
        """)


def test_neighbours_of_one_size_are_tied() -> None:
    assert _source(Mlp(2, 3, rngs=nnx.Rngs(0))) == _code("""
        class LinearState(TypedState):
            bias: nnx.Param[Float32[Array, "dout"]]
            kernel: nnx.Param[Float32[Array, "din dout"]]


        class S(TypedState):
            down: Bind[LinearState, "dout=d din=hidden"]
            up: Bind[LinearState, "dout=hidden din=d"]
        """)


def test_a_second_example_shows_what_grows_together() -> None:
    schema = infer(Mlp(4, 4, rngs=nnx.Rngs(0)), Mlp(4, 6, rngs=nnx.Rngs(0)))
    assert explain(nnx.state(Mlp(4, 9, rngs=nnx.Rngs(0))), schema)
    assert not explain(nnx.state(Mlp(5, 9, rngs=nnx.Rngs(0))), schema)


@given(st.tuples(*[st.integers(1, 5)] * 2), st.tuples(*[st.integers(1, 5)] * 2))
def test_two_examples_both_fit(first: tuple[int, int], second: tuple[int, int]) -> None:
    models = [nnx.eval_shape(lambda: Mlp(*sizes, rngs=nnx.Rngs(0))) for sizes in (first, second)]  # noqa: B023
    schema = Abstract[infer(*models)]
    assert all(isinstance(nnx.state(model), schema) for model in models)


def test_stacked_biases_are_tied_to_stacked_kernels() -> None:
    tree = {
        "kernel": leaf(nnx.Param, jnp.zeros((4, 2, 3))),
        "bias": leaf(nnx.Param, jnp.zeros((4, 3))),
    }
    assert _source(tree) == _code("""
        class S(TypedState):
            kernel: nnx.Param[Float32[Array, "kernel0 2 kernel2"]]
            bias: nnx.Param[Float32[Array, "kernel0 kernel2"]]
        """)


def test_an_optimizer_shares_the_dims_of_its_parameters() -> None:
    optimizer = nnx.Optimizer(Mlp(2, 3, rngs=nnx.Rngs(0)), optax.adam(0.1), wrt=nnx.Param)
    source = _source(optimizer)
    assert 'mu: Bind[MuState, "d hidden"]' in source
    assert 'nu: Bind[MuState, "d hidden"]' in source


# -- Entries -------------------------------------------------------------------------------


class _Layers(nnx.Module):
    def __init__(self, layers: list[Any]) -> None:
        self.layers = list_of(layers)


def test_like_entries_are_a_map_whose_length_is_fixed() -> None:
    source = _source(Stack(2, 3, 2, nnx.Rngs(0)))
    assert 'layers: Bind[StateMap[int, Bind[MlpState, "d"]], "len=2"]' in source


def test_the_length_is_a_dim_where_examples_differ_in_it() -> None:
    schema = infer(Stack(2, 3, 2, nnx.Rngs(0)), Stack(2, 3, 4, nnx.Rngs(0)))
    assert "len=len" in to_source(schema)
    assert explain(nnx.state(Stack(2, 3, 5, nnx.Rngs(0))), schema)


def test_different_entries_stand_by_position() -> None:
    model = _Layers([_linear(2, 3), nnx.LayerNorm(3, rngs=nnx.Rngs(0))])
    hint = 'layers: Entries[Bind[LinearState, "dout=d"], Bind[LayerNormState, "d"]]'
    assert hint in _source(model)


def test_a_position_without_leaves_is_none() -> None:
    model = nnx.Sequential(_linear(2, 3), jax.nn.relu, _linear(3, 4))
    assert "layers: Entries[Bind[" in _source(model)
    assert ", None, Bind[" in _source(model)


def test_entries_that_differ_by_absence_are_optional() -> None:
    biased, plain = (nnx.Linear(3, 3, use_bias=bias, rngs=nnx.Rngs(0)) for bias in (True, False))
    assert 'bias: nnx.Param[Float32[Array, "dout"]] | None' in _source(_Layers([biased, plain]))


def test_entries_of_different_sizes_are_one_schema_where_their_sizes_are_tied() -> None:
    source = _source(_Layers([nnx.LayerNorm(n, rngs=nnx.Rngs(0)) for n in (3, 4)]))
    assert 'layers: Bind[StateMap[int, LayerNormState], "len=2"]' in source


def test_entries_of_different_sizes_stand_by_position_where_nothing_ties_them() -> None:
    source = _source(_Layers([_linear(2, 3), _linear(3, 4)]))
    assert "layers: Entries[" in source


def test_keys_far_apart_are_fields() -> None:
    tree = {0: {"a": leaf(nnx.Param, jnp.zeros(2))}, 1000: {"a": leaf(nnx.Param, jnp.zeros(3))}}
    schema = infer(tree)
    assert explain(tree, schema)
    assert "Alias(1000)" in to_source(schema)


# -- Leaves --------------------------------------------------------------------------------


def test_every_sort_of_leaf() -> None:
    tree = {
        "array": jnp.zeros((2, 2), jnp.bfloat16),
        "host": np.zeros(3, np.int8),
        "scalar": 3.5,
        "flag": True,
        "rng": leaf(nnx.RngKey, jax.random.key(0)),
        "count": leaf(nnx.RngCount, jnp.zeros((), jnp.uint32)),
        "nothing": leaf(nnx.Param, None),
        "sown": leaf(nnx.Intermediate, (jnp.zeros(2), 1)),
        "masked": leaf(nnx.BatchStat, optax.MaskedNode()),
        "statistics": leaf(nnx.BatchStat, {"max": jnp.zeros(4), "not a name": 1}),
        "sharded": named(nnx.Param, jnp.zeros((2, 5)), "data", None),
    }
    source = to_source(infer(tree, name="S"))
    assert source.partition("ValueDict = ")[2] == _code("""
        TypedDict("ValueDict", {"max": Float32[Array, "4"], "not a name": int})


        class S(TypedState):
            array: BFloat16[Array, "2 2"]
            host: Int8[numpy.ndarray, "3"]
            scalar: float
            flag: bool
            rng: Annotated[nnx.RngKey, Key[Array, ""]]
            count: Annotated[nnx.RngCount, UInt32[Array, ""]]
            nothing: nnx.Param[None]
            sown: nnx.Intermediate[tuple[Float32[Array, "2"], int]]
            masked: nnx.BatchStat[optax.MaskedNode]
            statistics: nnx.BatchStat[ValueDict]
            sharded: Annotated[nnx.Param[Float32[Array, "2 5"]], P("data")]
        """)
    assert explain(nnx.State(tree), infer(tree))


def test_examples_widen_kinds_and_dtypes() -> None:
    class Mine(nnx.Param[Any]):
        pass

    first = {"a": leaf(nnx.Param, jnp.zeros(2)), "b": leaf(nnx.Param, jnp.zeros(2))}
    second = {"a": leaf(Mine, jnp.zeros(2)), "b": leaf(nnx.Param, jnp.zeros(2, jnp.bfloat16))}
    assert _source(first, second) == _code("""
        class S(TypedState):
            a: nnx.Param[Float32[Array, "2"]]
            b: nnx.Param[Float[Array, "2"]]
        """)


def test_examples_widen_presence_rank_and_structure() -> None:
    first = {"a": jnp.zeros(2), "b": jnp.zeros((2, 2)), "c": jnp.zeros(2)}
    second = {"b": jnp.zeros(2), "c": {"d": jnp.zeros(2)}}
    schema = infer(first, second, name="S")
    assert explain(first, schema)
    assert explain(second, schema)
    assert _source(first, second) == _code("""
        class S(TypedState):
            a: Float32[Array, "2"] | None
            b: Float32[Array, "..."]
            c: Any
        """)


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
    root = as_dict(nnx.state(_Layers([_linear(2, 2), _linear(2, 2)])))["layers"]
    assert explain(root, infer(root))
    assert not explain({0: root[0]}, infer(root))


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
    with pytest.raises(SchemaError, match="nested too deeply"):
        infer(tree)


def test_axes_of_an_entry_that_no_field_names_are_tied_too() -> None:
    tree = {"z": {"x": {1: leaf(nnx.Param, jnp.zeros(3))}}, "o": leaf(nnx.Param, jnp.zeros(3))}
    assert _source(nnx.State(tree)) == _code("""
        class ZState(TypedState):
            x: Entries[None, nnx.Param[Float32[Array, "n"]]]


        class S(TypedState):
            z: Bind[ZState, "n"]
            o: nnx.Param[Float32[Array, "n"]]
    """)
