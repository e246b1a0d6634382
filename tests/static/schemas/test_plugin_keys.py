"""With the plugin: literal keys to any depth, and the leaves of forms that change them."""

from typing import Any, Final, assert_type

import jax
from flax import nnx
from flax.nnx import statelib
from jax.sharding import PartitionSpec
from schema_models import (
    BlockState,
    Counted,
    LinearState,
    ModelState,
    NormState,
    Numbered,
    OpenState,
    linear_state,
    model,
    model_state,
    seen,
)

from typedstate import (
    Abstract,
    Having,
    Like,
    Only,
    Plus,
    Pure,
    Rest,
    Specs,
    StateMap,
    Values,
    check,
)

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]
HEADS: Final = "heads"


def test_literal_keys_to_any_depth() -> None:
    state = model_state()
    seen(assert_type(state["blocks"], StateMap[int, BlockState]), nnx.State)
    seen(assert_type(state["blocks"][0], BlockState), nnx.State)
    seen(assert_type(state["blocks"][0]["up"], LinearState), nnx.State)
    seen(assert_type(state["blocks"][0]["up"]["kernel"], Param), nnx.Param)
    seen(assert_type(state["blocks"][0].norm["mean"][...], jax.Array), jax.Array)
    seen(assert_type(state[HEADS]["a"]["kernel"], Param), nnx.Param)
    seen(assert_type(state["stem"][2]["mean"], BatchStat), nnx.BatchStat)
    seen(assert_type(state["temperature"], jax.Array), jax.Array)
    seen(assert_type(state["values"], Param), nnx.Param)


def test_a_flat_state_that_is_an_argument_of_an_untyped_function() -> None:
    untyped: Any = len
    flat = assert_type(nnx.to_flat_state(nnx.state(model(), nnx.Param)), statelib.FlatState[Param])
    untyped(flat)
    untyped(
        assert_type(nnx.to_flat_state(nnx.state(model(), nnx.Param)), statelib.FlatState[Param])
    )


def test_an_optional_leaf_by_its_key() -> None:
    state = linear_state()
    seen(assert_type(state["bias"], Param), nnx.Param)
    seen(assert_type(state.get("bias"), Param | None), nnx.Param)
    seen(assert_type(state.get("kernel", 3), Param | int), nnx.Param)


def test_assignment_by_key() -> None:
    state = model_state()
    state["blocks"][0]["up"]["kernel"] = state["blocks"][1]["up"]["kernel"]
    state["blocks"][0]["up"] = state["blocks"][1].up
    state["blocks"][0] = state["blocks"][1]


def test_extra_keys() -> None:
    gate = nnx.Param(jax.numpy.ones(()))
    opened = OpenState({"gate": gate, "more": gate})
    seen(assert_type(opened["gate"], Param), nnx.Param)
    counted = Counted({"gate": gate, "layers_0": linear_state()})
    seen(assert_type(counted["layers_0"]["kernel"], Param), nnx.Param)
    numbered = Numbered({"gate": gate, "layers_0": linear_state()})
    seen(assert_type(numbered["layers_0"]["kernel"], Param), nnx.Param)


def test_only_and_rest() -> None:
    only = check(nnx.state(model(), nnx.Param), Only[ModelState, nnx.Param])
    seen(assert_type(only["blocks"][0]["norm"]["scale"], Param), nnx.Param)
    seen(assert_type(only.blocks[0].norm.scale, Param), nnx.Param)
    rest = check(nnx.state(model(), nnx.Not(nnx.Param)), Rest[ModelState, nnx.Param])
    seen(assert_type(rest["blocks"][0]["norm"]["mean"], BatchStat), nnx.BatchStat)
    seen(assert_type(rest["temperature"], jax.Array), jax.Array)
    seen(assert_type(ModelState.of(model(), nnx.Param)["stem"][2]["scale"], Param), nnx.Param)
    assert ModelState.of(model(), nnx.Param).blocks[0].get("dropout") is None


def test_plus_takes_other_keys() -> None:
    state = nnx.State({**linear_state(), "lora": nnx.LoRAParam(jax.numpy.ones(3))})
    plus = check(state, Plus[LinearState, nnx.LoRAParam])
    seen(assert_type(plus["kernel"], Param), nnx.Param)
    seen(plus["lora"], nnx.LoRAParam)


def test_having_is_there() -> None:
    having = check(linear_state(), Having[LinearState, "bias"])
    seen(assert_type(having.bias, Param), nnx.Param)
    seen(assert_type(having["kernel"], Param), nnx.Param)
    deep = check(model_state(), Having[ModelState, "blocks.*.up.bias", "stem.0.bias"])
    seen(assert_type(deep.blocks[0].up.bias, Param), nnx.Param)
    seen(assert_type(deep.blocks[0].down.get("bias"), Param | None), nnx.Param)
    seen(assert_type(deep.stem[0].bias, Param), nnx.Param)


def test_pure_and_values() -> None:
    pure = nnx.to_pure_dict(model_state())
    seen(assert_type(pure["blocks"][0]["up"]["kernel"], jax.Array), jax.Array)
    seen(assert_type(pure["stem"][2]["mean"], jax.Array), jax.Array)
    seen(assert_type(check(pure, Pure[ModelState])["values"], jax.Array), jax.Array)
    seen(assert_type(pure.get("values"), jax.Array | None), jax.Array)
    values = check(nnx.as_pure(linear_state()), Values[LinearState])
    seen(assert_type(values["kernel"], jax.Array), jax.Array)
    seen(assert_type(values.kernel, jax.Array), jax.Array)
    seen(assert_type(nnx.as_pure(linear_state())["kernel"], jax.Array), jax.Array)

    def takes(params: Pure[Only[NormState, nnx.Param]]) -> jax.Array:
        return assert_type(params["scale"], jax.Array)

    norm = model_state().blocks[0].norm
    seen(takes(nnx.to_pure_dict(nnx.filter_state(norm, nnx.Param))), jax.Array)


def test_abstract_specs_and_like() -> None:
    abstract = check(nnx.state(nnx.eval_shape(model)), Abstract[ModelState])
    leaf = abstract["blocks"][0]["up"]["kernel"]
    seen(assert_type(leaf, nnx.Param[jax.ShapeDtypeStruct]), nnx.Param)
    seen(assert_type(leaf.get_value(), jax.ShapeDtypeStruct), jax.ShapeDtypeStruct)
    leaf = abstract.blocks[0].up.kernel
    seen(assert_type(leaf, nnx.Param[jax.ShapeDtypeStruct]), nnx.Param)
    seen(assert_type(abstract["temperature"], jax.ShapeDtypeStruct), jax.ShapeDtypeStruct)
    specs = check(nnx.get_partition_spec(linear_state()), Specs[LinearState])
    seen(assert_type(specs["kernel"], nnx.Param[PartitionSpec]), nnx.Param)
    moments = nnx.map_state(lambda path, leaf: nnx.BatchStat(leaf[...]), linear_state())
    like = check(moments, Like[LinearState, nnx.BatchStat[jax.Array]])
    seen(assert_type(like["kernel"], BatchStat), nnx.BatchStat)
    seen(assert_type(like.kernel, BatchStat), nnx.BatchStat)


def of_compositions(
    pure: Pure[Abstract[LinearState]],
    like: Like[LinearState, nnx.BatchStat[jax.Array]],
    many: list[Pure[LinearState]],
) -> None:
    assert_type(pure["kernel"], jax.ShapeDtypeStruct)
    assert_type(like.kernel, BatchStat)
    for one in many:
        assert_type(one["kernel"], jax.Array)


def test_filters_that_overloads_cannot_express() -> None:
    node = model()
    either = nnx.state(node, (nnx.Param, nnx.BatchStat, nnx.RngKey, nnx.RngCount))
    assert_type(either, nnx.State[Any, Param | BatchStat | nnx.RngKey | nnx.RngCount])
    kind = nnx.state(node, nnx.OfType(nnx.Param))
    assert_type(kind, nnx.State[Any, Param])
    some = nnx.state(node, nnx.All(nnx.Param, nnx.PathContains("up")))
    assert_type(some, nnx.State[Any, Param])
    two = nnx.split(node, nnx.Any(nnx.Param, nnx.BatchStat), ...)
    seen(two, tuple)
    assert_type(two[1], nnx.State[Any, Param | BatchStat])


def test_filters_over_a_schema() -> None:
    state = model_state()
    params = nnx.filter_state(state, nnx.Param)
    seen(assert_type(params["blocks"][0]["norm"]["scale"], Param), nnx.Param)
    first, second = nnx.split_state(state, nnx.Param, ...)
    seen(assert_type(first["blocks"][0]["norm"]["scale"], Param), nnx.Param)
    seen(assert_type(second["blocks"][0]["norm"]["mean"], BatchStat), nnx.BatchStat)
