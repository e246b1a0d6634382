"""Forms agree with what Flax and JAX make of the same model."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jaxtyping import Array, BFloat16, Float
from zoo import LinearState, MlpState, leaf, state

from typedstate import (
    Abstract,
    Axis,
    Bind,
    Cast,
    Exactly,
    Like,
    Only,
    Plus,
    Pure,
    Rest,
    Same,
    SchemaError,
    Scoped,
    Sharded,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    Values,
    abstract,
    explain,
    fits,
)
from typedstate._annotations.spec_of import spec_of


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
    assert fits(half, Like[Only[schema, nnx.Param], BFloat16])
    assert not fits(params, Like[Only[schema, nnx.Param], BFloat16])
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


def test_plus_allows_its_kinds_anywhere_and_nothing_else() -> None:
    found = zoo.as_dict(nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0))))
    found["up"]["activations"] = leaf(nnx.Intermediate, (jnp.ones(2),))
    found["sown"] = {"deep": {"er": leaf(nnx.Intermediate, jnp.ones(2))}}
    hint = Plus[MlpState, nnx.Intermediate]
    assert fits(nnx.State(found), hint)
    assert not fits(nnx.State(found), MlpState)
    assert fits(nnx.State(found), Plus[MlpState, nnx.Cache, nnx.Intermediate])
    found["sown"]["deep"]["stat"] = leaf(nnx.BatchStat, jnp.ones(2))
    assert str(explain(nnx.State(found), hint)) == (
        "does not fit Plus[MlpState, Intermediate]: 1 violation\n"
        "  sown: not declared, found a dict with keys 'deep' [extra]\n"
        "  dims: d=2 hidden=3"
    )


def test_forms_of_plus_know_what_was_added() -> None:
    tree = zoo.as_dict(nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0))))
    tree["up"]["lora"] = {"a": leaf(nnx.LoRAParam, jnp.ones((2, 1)))}
    tree["down"]["seen"] = leaf(nnx.Intermediate, jnp.ones(2))
    found = nnx.State(tree)
    hint = Plus[MlpState, nnx.LoRAParam, nnx.Intermediate]
    assert fits(found, hint)
    for filter_ in (nnx.Param, nnx.LoRAParam, nnx.Intermediate, nnx.PathContains("lora")):
        kept, rest = nnx.split_state(found, filter_, ...)
        assert fits(kept, Only[hint, filter_])
        assert fits(rest, Rest[hint, filter_])
        assert not fits(found, Only[hint, filter_])
        assert not fits(found, Rest[hint, filter_])
    assert fits(nnx.to_pure_dict(found), Pure[hint])
    assert fits(jax.eval_shape(lambda: found), Abstract[hint])


class OpenState(TypedState, extra="allow"):
    kernel: nnx.Param[Float[Array, "din dout"]]


class LooseState(TypedState):
    inner: Any
    kernel: nnx.Param[Float[Array, "din dout"]]


@pytest.mark.parametrize(
    ("schema", "key"), [(OpenState, "more"), (LooseState, "inner")], ids=["extra", "Any"]
)
def test_filters_decide_on_leaves_that_no_schema_declares(schema: Any, key: str) -> None:
    found = state(
        {
            "kernel": nnx.Param(jnp.ones((2, 3))),
            key: {"a": nnx.Param(jnp.ones(1)), "b": {"c": nnx.BatchStat(jnp.ones(1))}},
        }
    )
    assert fits(found, schema)
    for filter_ in (nnx.Param, nnx.BatchStat, nnx.PathContains("b"), nnx.PathContains(key)):
        kept, rest = nnx.split_state(found, filter_, ...)
        assert fits(kept, Only[schema, filter_])
        assert fits(rest, Rest[schema, filter_])
        assert not fits(found, Only[schema, filter_])
        assert not fits(found, Rest[schema, filter_])
    assert fits(nnx.to_pure_dict(found), Pure[schema])
    assert fits(jax.eval_shape(lambda: found), Abstract[schema])


class EitherState(TypedState):
    scale: nnx.Param | nnx.BatchStat
    kernel: nnx.Param


@pytest.mark.parametrize("kind", [nnx.Param, nnx.BatchStat])
@pytest.mark.parametrize("filter_", [nnx.Param, nnx.BatchStat])
def test_of_a_union_the_real_kind_decides(kind: Any, filter_: Any) -> None:
    found = state({"scale": kind(jnp.ones(2)), "kernel": nnx.Param(jnp.ones(2))})
    kept, rest = nnx.split_state(found, filter_, ...)
    assert fits(kept, Only[EitherState, filter_])
    assert fits(rest, Rest[EitherState, filter_])


@pytest.mark.parametrize("kind", [nnx.Param, nnx.LoRAParam])
def test_a_filter_for_a_subclass_decides_on_the_real_leaf(kind: Any) -> None:
    found = state({"kernel": kind(jnp.ones((2, 3))), "bias": nnx.Param(jnp.ones(3))})
    kept, rest = nnx.split_state(found, nnx.LoRAParam, ...)
    only, others = Only[LinearState, nnx.LoRAParam], Rest[LinearState, nnx.LoRAParam]
    assert fits(kept, only)
    assert fits(rest, others)
    assert fits(nnx.to_pure_dict(kept), Pure[only])
    assert fits(nnx.to_pure_dict(rest), Pure[others])
    report = explain(found, only)
    assert [violation.path for violation in report.violations] == (
        ["bias"] if kind is nnx.LoRAParam else ["kernel", "bias"]
    )


def test_the_message_for_a_leaf_that_a_filter_leaves_out_names_the_filter() -> None:
    found = state({"kernel": nnx.Param(jnp.ones((2, 3)))})
    assert str(explain(found, Only[LinearState, nnx.LoRAParam])) == (
        "does not fit Only[LinearState, LoRAParam]: 1 violation\n"
        "  kernel: not declared, found Param float32[2,3] [extra]"
    )


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


def test_stacked_is_what_vmapped_constructors_give() -> None:
    blocks = nnx.state(zoo.Blocks(2, 3, 4, nnx.Rngs(0)))["blocks"]
    assert explain(blocks, Stacked[MlpState, "layers"]).dims == {
        "d": 2,
        "hidden": 3,
        "layers": 4,
    }
    assert str(explain(blocks, MlpState)).splitlines()[1:3] == [
        '  up.kernel: expected rank 2 ("din dout"), found shape (4, 2, 3) [rank]',
        '  up.bias: expected rank 1 ("dout"), found shape (4, 3) [rank]',
    ]


@pytest.mark.parametrize(
    ("axis", "shape", "bias"),
    [
        (Axis(0), (7, 2, 3), (7, 3)),
        (Axis(1), (2, 7, 3), (3, 7)),
        (Axis(-1), (2, 3, 7), (3, 7)),
        (Axis(-2), (2, 7, 3), (7, 3)),
    ],
)
def test_stacked_inserts_its_axis_where_it_is_told(
    axis: Axis, shape: tuple[int, ...], bias: tuple[int, ...]
) -> None:
    found = state({"kernel": nnx.Param(jnp.ones(shape)), "bias": nnx.Param(jnp.ones(bias))})
    report = explain(found, Stacked[LinearState, "layers", axis])
    assert report.dims == {"din": 2, "dout": 3, "layers": 7}


def test_stacked_with_filters_leaves_the_others_alone() -> None:
    tree = zoo.as_dict(nnx.state(zoo.ConvNet(1, 2, 4, nnx.Rngs(0))))
    kept, rest = nnx.split_state(nnx.State(tree), nnx.Param, ...)
    stacked = nnx.merge_state(jax.tree.map(lambda x: jnp.stack([x] * 5), kept), rest)
    assert explain(stacked, Stacked[zoo.ConvNetState, "n", nnx.Param]).dims == {
        "n": 5,
        "c": 1,
        "f": 2,
        "classes": 4,
    }
    assert not fits(stacked, Stacked[zoo.ConvNetState, "n"])
    assert not fits(stacked, zoo.ConvNetState)


def test_a_stacked_axis_has_one_size_and_may_be_an_expression() -> None:
    found = state({"kernel": nnx.Param(jnp.ones((4, 2, 3))), "bias": nnx.Param(jnp.ones((5, 3)))})
    assert str(explain(found, Stacked[LinearState, "layers"])) == (
        "does not fit Stacked[LinearState, 'layers']: 1 violation\n"
        "  bias: layers is 5, but layers=4 from kernel, axis 0 [dim]\n"
        "  dims: layers=4 din=2 dout=3"
    )
    found = state({"kernel": nnx.Param(jnp.ones((4, 2, 3)))})
    assert explain(found, Stacked[LinearState, "2*pairs"]).dims["pairs"] == 2


def test_stacked_inserts_its_partition_name_into_the_declared_names() -> None:
    class Sharded(TypedState):
        kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("embed")]

    found = nnx.State(
        {"kernel": zoo.named(nnx.Param, jnp.ones((4, 2, 3)), "layers", "embed", None)}
    )
    assert fits(found, Stacked[Sharded, "n", Axis(0, "layers")])
    assert not fits(found, Stacked[Sharded, "n"])
    assert not fits(found, Stacked[Sharded, "n", Axis(-1, "layers")])


def test_same_holds_trees_of_one_call_together() -> None:
    one = nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    two = nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(1)))
    other = zoo.as_dict(nnx.state(zoo.Mlp(2, 4, use_bias=False, rngs=nnx.Rngs(0))))
    hint = tuple[Same[Scoped[MlpState, "a"], "T"], Same[Scoped[MlpState, "b"], "T"]]
    assert fits((one, two), hint)
    other["up"]["kernel"] = leaf(nnx.BatchStat, jnp.ones((2, 3)))
    other["down"]["kernel"] = leaf(nnx.Param, jnp.ones((3, 2), "int32"))
    found = explain(
        (one, nnx.State(other)), tuple[Same[StateOf[nnx.Variable], "T"], Same[Any, "T"]]
    )
    assert str(found) == (
        "does not fit tuple[StateOf[Variable], Any]: 4 violations\n"
        "  [1].down.bias: missing, expected Param float32[2] as in [0].down.bias [missing]\n"
        "  [1].down.kernel: expected Param float32[3,2] as in [0].down.kernel, "
        "found Param int32[3,2] [dtype]\n"
        "  [1].up.bias: missing, expected Param float32[3] as in [0].up.bias [missing]\n"
        "  [1].up.kernel: expected Param float32[2,3] as in [0].up.kernel, "
        "found BatchStat float32[2,3] [kind]"
    )


def test_same_reports_rank_size_and_extra_leaves() -> None:
    one = state({"a": nnx.Param(jnp.ones(2)), "b": nnx.Param(jnp.ones(2))})
    two = state(
        {"a": nnx.Param(jnp.ones(3)), "b": nnx.Param(jnp.ones((2, 1))), "c": nnx.Param(jnp.ones(1))}
    )
    report = explain([one, two], list[Same[StateOf[nnx.Param], "T"]])
    assert [(found.path, found.code) for found in report.violations] == [
        ("[1].a", "size"),
        ("[1].b", "rank"),
        ("[1].c", "extra"),
    ]


def test_exactly_refuses_subclasses() -> None:
    hint = StateMap[str, Exactly[nnx.Param[Float[Array, "n"]]]]
    assert fits(state({"a": nnx.Param(jnp.ones(2))}), hint)
    assert str(explain(state({"a": nnx.LoRAParam(jnp.ones(2))}), hint)) == (
        'does not fit StateMap[str, Exactly[Param[Float[Array, "n"]]]]: 1 violation\n'
        '  a: expected Exactly[Param[Float[Array, "n"]]], found LoRAParam float32[2] [kind]'
    )


def test_like_follows_the_moments_of_an_optimizer() -> None:
    model = zoo.Mlp(2, 3, rngs=nnx.Rngs(0))
    params = nnx.state(model, nnx.Param)
    moments = nnx.state(zoo.optimizer(zoo.optax.adam(0.1)))["opt_state"][0]["mu"]
    hint = Like[Only[MlpState, nnx.Param], nnx.OptState]
    assert explain(moments, hint).dims == {"d": 2, "hidden": 3}
    assert not fits(params, hint)
    assert not fits(moments, Only[MlpState, nnx.Param])


def test_like_takes_a_union_of_kinds_dtypes_and_what_masks_a_leaf() -> None:
    import optax

    masked = optax.MaskedNode()
    found = state(
        {
            "kernel": nnx.OptState(jnp.ones((2, 3), "bfloat16")),
            "bias": nnx.OptState(masked),
        }
    )
    assert fits(found, Like[LinearState, nnx.OptState | BFloat16 | optax.MaskedNode])
    full = state({"kernel": nnx.OptState(jnp.ones((2, 3))), "bias": nnx.OptState(masked)})
    assert fits(full, Like[LinearState, nnx.OptState | optax.MaskedNode])
    assert not fits(full, Like[LinearState, nnx.OptState])


def test_a_bind_inside_of_a_form_names_the_dims_of_the_class_that_writes_it() -> None:
    class Outer(TypedState):
        blocks: Stacked[Bind[MlpState, "d hidden"], "layers"]
        head: Bind[LinearState, "din=d dout=hidden"]

    blocks = zoo.as_dict(nnx.state(zoo.Blocks(2, 3, 4, nnx.Rngs(0))))["blocks"]
    found = state({"blocks": blocks, "head": {"kernel": leaf(nnx.Param, jnp.ones((2, 5)))}})
    assert str(explain(found, Outer)) == (
        "does not fit Outer: 1 violation\n"
        "  head.kernel: dout is 5, but hidden=3 from blocks.up.kernel, axis 2 [dim]\n"
        "  dims: layers=4 d=2 hidden=3"
    )
    assert not explain(found, Bind[Outer, "d=9"])


def test_scoped_inside_and_outside_of_a_form_keeps_names_apart_but_links_the_axis() -> None:
    one = jax.tree.map(lambda x: jnp.stack([x] * 4), nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0))))
    two = jax.tree.map(lambda x: jnp.stack([x] * 5), nnx.state(zoo.Mlp(6, 7, rngs=nnx.Rngs(0))))
    report = explain(
        (one, two), tuple[Stacked[MlpState, "n"], Stacked[Scoped[MlpState, "teacher"], "n"]]
    )
    assert [violation.code for violation in report.violations] == ["dim"] * 4
    assert report.dims == {"n": 4, "d": 2, "hidden": 3}
    same = jax.tree.map(lambda x: jnp.stack([x] * 4), nnx.state(zoo.Mlp(6, 7, rngs=nnx.Rngs(0))))
    assert fits(
        (one, same), tuple[Stacked[MlpState, "n"], Scoped[Stacked[MlpState, "n"], "teacher"]]
    )


def test_hints_are_made_once_and_forgotten_when_unused() -> None:
    import gc
    import weakref

    assert Only[LinearState, nnx.Param] is Only[LinearState, nnx.Param]
    hint = Pure[Only[LinearState, nnx.Not(nnx.Param), nnx.PathContains("kernel")]]
    dead = weakref.ref(hint)
    del hint
    gc.collect()
    assert dead() is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Only[LinearState], "Only[LinearState]: give a filter, e.g. nnx.Param"),
        (lambda: Rest[LinearState], "Rest[LinearState]: give a filter, e.g. nnx.Param"),
        (lambda: Plus[LinearState], "Plus[LinearState, ...]: give Variable classes"),
        (lambda: Plus[LinearState, int], "Plus[LinearState, ...]: give Variable classes"),
        (
            lambda: Pure[nnx.Param],
            "Pure[Param, ...]: a form takes a schema, not a leaf",
        ),
        (
            lambda: Exactly[Float[Array, "n"]],
            'Exactly[Float[Array, "n"]]: give a Variable class',
        ),
        (lambda: Scoped[LinearState, 3], 'Scoped[LinearState, 3]: give a name, "teacher"'),
        (lambda: Same[LinearState, ""], "Same[LinearState, '']: give a name, \"T\""),
        (
            lambda: Stacked[LinearState, nnx.Param],
            "Stacked[LinearState, <class 'flax.nnx.variablelib.Param'>]: first the axis, "
            'e.g. "layers", then one Axis, filters',
        ),
        (
            lambda: Stacked[LinearState, "a", Axis(0), Axis(1)],
            "Stacked[LinearState, 'a']: first the axis, e.g. \"layers\", then one Axis, filters",
        ),
        (
            lambda: Stacked[LinearState, "a-"],
            "Stacked[LinearState, 'a-']: 'a-' is neither a size, a name nor arithmetic",
        ),
        (
            lambda: StateOf[LinearState],
            "StateOf[LinearState]: give a leaf; StateMap[str, LinearState] has entries",
        ),
        (
            lambda: Pure[LinearState][LinearState],
            "Pure[LinearState] is complete: it can't be subscripted again",
        ),
        (
            lambda: Abstract[LinearState, nnx.Param],
            "Abstract[LinearState, Param]: wrong arguments; Abstract[S]: a "
            "jax.ShapeDtypeStruct in the place of each array.",
        ),
    ],
)
def test_a_form_that_means_nothing_says_so(make: Any, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        make()
    assert str(error.value) == message


def test_an_axis_beyond_a_leaf_is_refused_when_the_form_is_first_used() -> None:
    with pytest.raises(SchemaError) as error:
        explain(nnx.State({}), Stacked[zoo.NormState, "n", Axis(2)])
    assert str(error.value) == "Axis(2) lies beyond the 1 axis of a leaf"


def test_what_may_be_absent_is_where_it_can_not_have_the_axis() -> None:
    hint = Stacked[LinearState, "n", Axis(2)]
    assert explain(state({"kernel": nnx.Param(jnp.ones((2, 3, 5)))}), hint).dims == {
        "n": 5,
        "din": 2,
        "dout": 3,
    }
    found = state({"kernel": nnx.Param(jnp.ones((2, 3, 5))), "bias": nnx.Param(jnp.ones(3))})
    assert str(explain(found, hint)) == (
        "does not fit Stacked[LinearState, 'n', Axis(2)]: 1 violation\n"
        "  bias: not declared, found Param float32[3] [extra]\n"
        "  dims: din=2 dout=3 n=5"
    )


@pytest.mark.parametrize(
    ("axis", "shape"),
    [
        (Axis(0), (7, 5, 6, 2, 3)),
        (Axis(1), (5, 7, 6, 2, 3)),
        (Axis(3), (5, 6, 2, 7, 3)),
        (Axis(-1), (5, 6, 2, 3, 7)),
        (Axis(-4), (5, 7, 6, 2, 3)),
    ],
)
def test_stacked_inserts_its_axis_within_a_run_of_axes(axis: Axis, shape: Any) -> None:
    hint = Stacked[zoo.ConvState, "layers", axis]
    found = state({"kernel": nnx.Param(jnp.ones(shape))})
    assert explain(found, hint).dims == {"window": (5, 6), "cin": 2, "cout": 3, "layers": 7}
    assert explain(jax.eval_shape(lambda: found), Abstract[hint])
    sizes: dict[str, Any] = {"window": (5, 6), "cin": 2, "cout": 3, "layers": 7}
    built = abstract(hint, dtype=jnp.float32, choices={"bias": False}, **sizes)
    assert [found.shape for found in jax.tree.leaves(built)] == [shape]


def test_an_axis_within_a_run_is_said_in_reports() -> None:
    hint = Stacked[Stacked[zoo.ConvState, "layers", Axis(1)], "model"]
    found = state({"kernel": nnx.Param(jnp.ones((8, 5, 7, 2, 3)))})
    assert explain(found, hint).dims == {
        "model": 8,
        "layers": 7,
        "window": (5,),
        "cin": 2,
        "cout": 3,
    }
    report = explain(state({"kernel": nnx.Param(jnp.ones((8, 5, 7)))}), hint)
    assert str(report).splitlines()[1:2] == [
        '  kernel: expected rank at least 4 ("*window cin cout, layers at axis 1, '
        'model at axis 0"), found shape (8, 5, 7) [rank]'
    ]
    with pytest.raises(SchemaError) as error:
        explain(found, Sharded[hint, "layers=fsdp"])
    assert str(error.value) == (
        "Sharded[..., 'layers=fsdp']: Axis(1) of Float[Array, \"*window cin cout, layers at "
        "axis 1, model at axis 0\"] can't be given a name: its place is open"
    )


def test_forms_with_other_arguments_say_something_else() -> None:
    class Both(TypedState):
        scale: nnx.Param[Float[Array, "n"]]
        mean: nnx.BatchStat[Float[Array, "n"]]

    assert spec_of(Only[Both, nnx.Param]) != spec_of(Only[Both, nnx.BatchStat])
