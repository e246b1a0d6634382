"""Forms agree with what Flax and JAX make of the same model."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jaxtyping import Array, BFloat16, Float

from tests import zoo
from tests.zoo import state
from typedstate import (
    Abstract,
    Cast,
    Only,
    Pure,
    Rest,
    SchemaError,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    TypedState,
    Values,
    explain,
    fits,
)


class Kernel(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]


@pytest.fixture(scope="module")
def states() -> dict[str, nnx.State[Any, Any]]:
    return {animal.name: nnx.state(animal.make()) for animal in zoo.ZOO}


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_what_flax_and_jax_make_of_a_state_is_the_form_of_its_schema(
    animal: zoo.Animal, states: dict[str, Any]
) -> None:
    found, schema = states[animal.name], animal.schema
    assert explain(found, schema).dims == animal.dims
    assert isinstance(found, schema)
    assert fits(nnx.to_pure_dict(found), Pure[schema])
    assert not fits(nnx.to_pure_dict(found), schema)
    assert not fits(found, Pure[schema])
    assert fits(jax.eval_shape(lambda: found), Abstract[schema])
    assert not fits(found, Abstract[schema])
    assert not fits(jax.eval_shape(lambda: found), schema)
    if hasattr(nnx, "pure"):
        assert fits(nnx.pure(found), Values[schema])
        assert not fits(found, Values[schema])
    assert fits(jax.eval_shape(lambda: nnx.to_pure_dict(found)), Abstract[Pure[schema]])
    assert fits(jax.eval_shape(lambda: nnx.to_pure_dict(found)), Pure[Abstract[schema]])


@pytest.mark.parametrize("animal", zoo.ZOO, ids=lambda animal: animal.name)
def test_forms_of_forms_hold_together(animal: zoo.Animal, states: dict[str, Any]) -> None:
    found, schema = states[animal.name], animal.schema
    stacked = jax.tree.map(lambda x: jnp.stack([x] * 3), found)
    assert explain(stacked, Stacked[schema, "n"]).dims["n"] == 3
    assert not fits(found, Stacked[schema, "n"])
    params = nnx.filter_state(found, nnx.Param)
    if not jax.tree.leaves(params):
        return
    assert fits(params, Only[Only[schema, nnx.Param], nnx.Variable])
    assert fits(nnx.to_pure_dict(params), Pure[Only[schema, nnx.Param]])
    assert fits(jax.eval_shape(lambda: params), Abstract[Only[schema, nnx.Param]])
    assert fits(jax.eval_shape(lambda: params), Only[Abstract[schema], nnx.Param])
    many = jax.tree.map(lambda x: jnp.stack([x] * 3), params)
    assert fits(nnx.to_pure_dict(many), Pure[Only[Stacked[schema, "n"], nnx.Param]])
    assert fits(nnx.to_pure_dict(many), Pure[Stacked[Only[schema, nnx.Param], "n"]])
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params)
    assert fits(half, Cast[Only[schema, nnx.Param], BFloat16])
    assert not fits(params, Cast[Only[schema, nnx.Param], BFloat16])


def test_a_cast_keeps_the_kinds() -> None:
    report = explain(nnx.State({"kernel": nnx.BatchStat(jnp.ones((2, 3)))}), Cast[Kernel, BFloat16])
    assert str(report) == (
        "does not fit Cast[Kernel, BFloat16]: 1 violation\n"
        '  kernel: expected Param[BFloat16[Array, "din dout"]], found BatchStat float32[2,3] [kind]'
    )
    with pytest.raises(SchemaError) as error:
        Cast[Kernel, nnx.Param]
    assert str(error.value) == (
        "Cast[Kernel, Param]: give a dtype class of jaxtyping, e.g. BFloat16"
    )


def _mapped(found: Any, change: Any) -> Any:
    if isinstance(found, dict):
        return {key: _mapped(item, change) for key, item in found.items()}
    return change(found)


@pytest.mark.parametrize("name", ["mlp", "convnet", "stack", "attention with cache"])
def test_specs_and_shardings_may_stand_for_variables_or_be_held_by_them(
    name: str, states: dict[str, Any]
) -> None:
    schema = next(animal.schema for animal in zoo.ZOO if animal.name == name)
    mesh = Mesh(np.array(jax.devices()[:1]), ("data",))
    sharding = NamedSharding(mesh, P())
    bare = nnx.State(_mapped(zoo.as_dict(states[name]), lambda leaf: P()))
    assert fits(bare, Specs[schema])
    assert not fits(bare, Shardings[schema])
    assert not fits(states[name], Specs[schema])
    held = jax.tree.map(lambda x: sharding, states[name])
    assert fits(held, Shardings[schema])
    assert not fits(held, Specs[schema])


def test_a_form_of_nothing_is_refused() -> None:
    with pytest.raises(SchemaError) as error:
        Only[StateMap[str, nnx.Param], nnx.BatchStat]
    assert str(error.value) == ("Only[StateMap[str, Param], BatchStat] is empty: no leaf is left")


class SelfState(TypedState):
    weight: nnx.Param[Float[Array, "n"]]
    stat: nnx.BatchStat[Float[Array, "n"]] | None
    child: SelfState | None


class ListedState(TypedState):
    weight: nnx.Param[Float[Array, "n"]] | None
    child: ListedState
    children: StateMap[int, ListedState]


def test_recursive_schemas_have_forms() -> None:
    tree = {
        "weight": nnx.Param(jnp.ones(2)),
        "stat": nnx.BatchStat(jnp.ones(2)),
        "child": {"weight": nnx.Param(jnp.ones(3)), "stat": nnx.BatchStat(jnp.ones(3))},
    }
    found = state(tree)
    assert fits(found, SelfState)
    for filter_ in (nnx.Param, nnx.BatchStat, nnx.PathContains("child"), lambda p, v: len(p) > 1):
        kept, rest = nnx.split_state(found, filter_, ...)
        assert fits(kept, Only[SelfState, filter_])
        assert fits(rest, Rest[SelfState, filter_])
        assert not fits(found, Only[SelfState, filter_])
    assert fits(nnx.to_pure_dict(found), Pure[SelfState])
    listed = state({"children": {0: {"weight": nnx.Param(jnp.ones(3))}}})
    assert fits(listed, ListedState)
    assert fits(listed, Only[ListedState, nnx.Param])
    assert fits(listed, Only[ListedState, nnx.PathContains("weight")])
    assert fits(nnx.State({}), Rest[ListedState, nnx.PathContains("weight")])
