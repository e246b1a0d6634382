"""The forms as class bodies, signatures and values have them."""

from typing import Annotated, Any, Literal, Optional, assert_type

import jax
from flax import nnx
from jaxtyping import Array, Float
from schema_models import LinearState, ModelState, NormState, linear_state, model, model_state, seen

from typedstate import (
    Abstract,
    Axis,
    Bind,
    Entries,
    Exactly,
    Flat,
    Like,
    Only,
    Placed,
    Plus,
    Pure,
    Rest,
    Same,
    Scoped,
    Sharded,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
    Values,
    check,
)

Param = nnx.Param[jax.Array]


class Forms(TypedState):
    bound: Bind[LinearState, "din=d dout=4*d"]
    scoped: Scoped[LinearState, "teacher"]
    only: Only[LinearState, nnx.Param]
    rest: Rest[NormState, nnx.BatchStat]
    plus: Plus[LinearState, nnx.LoRAParam]
    stacked: Stacked[LinearState, "layers", nnx.Param, Axis(1)]
    nested: Only[Stacked[LinearState, "layers"], nnx.Param]
    exactly: Exactly[nnx.Param[Float[Array, "n"]]]
    tree: StateOf[nnx.Param[Float[Array, "..."]]]
    moment: Like[LinearState, nnx.BatchStat[Any]]
    entries: Entries[LinearState, None, Only[NormState, nnx.Param]]
    maybe: Only[LinearState, nnx.Param] | None
    sharded: Sharded[NormState, "d=fsdp"]
    placed: Placed[LinearState]


def of_class_bodies(forms: Forms) -> None:
    assert_type(forms.bound, LinearState)
    assert_type(forms.scoped.kernel, Param)
    assert_type(forms.only, LinearState)
    assert_type(forms.rest.scale, Param)
    assert_type(forms.plus.kernel, Param)
    assert_type(forms.stacked.kernel, Param)
    assert_type(forms.nested.kernel, Param)
    assert_type(forms.exactly, Param)
    assert_type(forms.tree, nnx.State[Any, Param])
    assert_type(forms.moment, Like[LinearState, nnx.BatchStat[Any]])
    assert_type(forms.entries[2], NormState)
    assert "maybe" in forms
    assert_type(forms.maybe, LinearState | None)
    assert_type(forms.sharded.scale, Param)
    assert_type(forms.placed.kernel, Param)


def of_signatures(
    only: Only[ModelState, nnx.Param],
    same: Same[Only[ModelState, nnx.Param], "T"],
    tree: Same[StateOf[nnx.Param[Array]], "T"],
    values: Values[ModelState],
    pure: Pure[Only[Stacked[ModelState, "layers"], nnx.Param]],
    flat: Flat[ModelState],
    named: Flat[Only[ModelState, nnx.Param], Literal["/"]],
    abstract: Abstract[ModelState],
    shardings: Shardings[ModelState],
    specs: Specs[ModelState],
    maps: StateMap[int, Only[ModelState, nnx.Param]],
    maybe: Only[ModelState, nnx.Param] | None,
    many: list[Only[ModelState, nnx.Param]],
    module: Annotated[nnx.Module, ModelState],
) -> Rest[ModelState, nnx.Param]:
    assert_type(only.blocks[0].up.kernel, Param)
    assert_type(same, ModelState)
    assert_type(tree, nnx.State[Any, Param])
    assert_type(values, nnx.State[Any, Any])
    assert_type(pure, dict[str, Any])
    assert_type(flat, dict[Any, Any])
    assert_type(named, dict[Any, Any])
    assert_type(abstract, Abstract[ModelState])
    assert_type(shardings, Shardings[ModelState])
    assert_type(specs, Specs[ModelState])
    assert_type(maps[0].blocks[0].up.kernel, Param)
    assert_type(maybe, ModelState | None)
    assert_type(many[0].blocks[0].up.kernel, Param)
    assert_type(module, nnx.Module)
    return only


def test_forms_as_values() -> None:
    params = nnx.state(model(), nnx.Param)
    seen(assert_type(check(params, Only[ModelState, nnx.Param]), ModelState), nnx.State)
    rest = nnx.state(linear_state(), nnx.BatchStat)
    assert len(rest) == 0
    state = model_state()
    seen(assert_type(check(state, Bind[ModelState, "d=2"]), ModelState), nnx.State)
    seen(assert_type(check(state, Scoped[ModelState, "teacher"]), ModelState), nnx.State)
    seen(assert_type(check(state, Plus[ModelState, nnx.LoRAParam]), ModelState), nnx.State)
    seen(assert_type(check(state, Same[ModelState, "T"]), ModelState), nnx.State)
    seen(assert_type(check(state.blocks, StateMap[int, Any]), StateMap[int, Any]), nnx.State)
    linear = linear_state()
    seen(assert_type(check(linear, StateOf[nnx.Param[Array]]), nnx.State[Any, Param]), nnx.State)
    seen(assert_type(check(linear.kernel, Exactly[nnx.Param[Array]]), Param), nnx.Param)
    seen(assert_type(check(nnx.pure(linear), Values[LinearState]), nnx.State[Any, Any]), nnx.State)


def test_what_flax_makes_comes_in_without_casts() -> None:
    def takes_pure(pure: Pure[LinearState]) -> dict[str, Any]:
        return pure

    def takes_values(values: Values[LinearState]) -> nnx.State[Any, Any]:
        return values

    def takes_flat(flat: Flat[LinearState]) -> dict[Any, Any]:
        return flat

    def takes_named(named: Flat[LinearState, Literal["/"]]) -> dict[Any, Any]:
        return named

    pure = nnx.to_pure_dict(linear_state())
    flat = dict(nnx.to_flat_state(linear_state()))
    seen(assert_type(check(pure, Pure[LinearState]), dict[str, Any]), dict)
    seen(assert_type(takes_pure(pure), dict[str, Any]), dict)
    joined = {"/".join(map(str, path)): leaf for path, leaf in flat.items()}
    seen(assert_type(check(flat, Flat[LinearState]), dict[Any, Any]), dict)
    seen(assert_type(check(joined, Flat[LinearState, Literal["/"]]), dict[Any, Any]), dict)
    seen(assert_type(takes_flat(flat), dict[Any, Any]), dict)
    seen(assert_type(takes_named(joined), dict[Any, Any]), dict)
    seen(assert_type(takes_values(nnx.pure(linear_state())), nnx.State[Any, Any]), nnx.State)


def test_the_nominal_ones_come_in_by_check() -> None:
    abstract = nnx.state(nnx.eval_shape(model))
    seen(assert_type(check(abstract, Abstract[ModelState]), Abstract[ModelState]), nnx.State)
    specs = nnx.get_partition_spec(linear_state())
    seen(assert_type(check(specs, Specs[LinearState]), Specs[LinearState]), nnx.State)
    moments = nnx.map_state(lambda path, leaf: nnx.BatchStat(leaf[...]), linear_state())
    liked = check(moments, Like[LinearState, nnx.BatchStat[Any]])
    seen(assert_type(liked, Like[LinearState, nnx.BatchStat[Any]]), nnx.State)


def test_an_optional_form() -> None:
    found = check(linear_state(), Optional[LinearState])  # noqa: UP045
    seen(assert_type(found, LinearState | None), nnx.State)
