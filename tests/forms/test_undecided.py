"""Forms of a selection whose leaves no longer show what the filter reads."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState, Mlp, MlpState, leaf, state
from typedstate import (
    Abstract,
    Like,
    Only,
    Pure,
    Rest,
    SchemaError,
    TypedState,
    Values,
    explain,
    fits,
)
from typedstate.layers import AdamState, OptimizerState


class AdaptedState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    adapter: nnx.LoRAParam[Float[Array, "din dout"]]
    either: nnx.Param[Float[Array, "n"]] | nnx.LoRAParam[Float[Array, "n"]]


def adapted(either: Any = nnx.LoRAParam) -> Any:
    ones = jnp.ones((2, 3))
    return state(
        {
            "kernel": nnx.Param(ones),
            "adapter": nnx.LoRAParam(ones),
            "either": either(jnp.ones(2)),
        }
    )


@pytest.mark.parametrize("either", [nnx.Param, nnx.LoRAParam])
def test_where_kinds_are_gone_the_declared_kind_decides(either: Any) -> None:
    full = adapted(either)
    kept, rest = nnx.split_state(full, nnx.LoRAParam, ...)
    only, others = Only[AdaptedState, nnx.LoRAParam], Rest[AdaptedState, nnx.LoRAParam]
    for part, hint in ((kept, only), (rest, others)):
        assert explain(nnx.to_pure_dict(part), Pure[hint])
        assert explain(nnx.pure(part), Values[hint])
    for hint in (only, others):
        assert not fits(nnx.to_pure_dict(full), Pure[hint])
        assert not fits({}, Pure[hint])


def test_a_subclass_that_no_schema_names_is_refused_where_kinds_are_gone() -> None:
    full = nnx.to_pure_dict(nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0))))
    hint = Pure[Only[MlpState, nnx.LoRAParam]]
    assert fits({}, hint)
    assert str(explain({"up": {"kernel": full["up"]["kernel"]}}, hint)) == (
        "does not fit Pure[Only[MlpState, LoRAParam]]: 1 violation\n"
        "  up.kernel: expected nothing, as Pure[Only[LinearState, LoRAParam]] leaves it out, "
        "found float32[2,3] [extra]"
    )


def test_an_optimizer_over_every_param_is_none_over_the_adapters() -> None:
    class Net(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.linear = nnx.Linear(2, 3, rngs=rngs)
            self.adapter = nnx.LoRA(2, 1, 3, rngs=rngs)

    class AdapterState(TypedState):
        lora_a: nnx.LoRAParam[Float[Array, "din rank"]]
        lora_b: nnx.LoRAParam[Float[Array, "rank dout"]]

    class NetState(TypedState):
        linear: LinearState
        adapter: AdapterState

    hint = OptimizerState[AdamState[Only[NetState, nnx.LoRAParam]]]
    net = Net(nnx.Rngs(0))
    adapters = nnx.Optimizer(net, optax.adam(1e-3), wrt=nnx.LoRAParam)
    assert explain(nnx.state(adapters), hint)
    everything = nnx.Optimizer(net, optax.adam(1e-3), wrt=nnx.Param)
    found = explain(nnx.state(everything), hint).violations
    assert {one.path for one in found} == {
        f"opt_state[0].{moment}.linear.{name}"
        for moment in ("mu", "nu")
        for name in ("kernel", "bias")
    }


def tagged(*names: str) -> Any:
    full = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
    return nnx.State(
        {
            name: leaf(nnx.Param, value, **({"tag": "seen"} if name in names else {}))
            for name, value in full.items()
        }
    )


def test_a_leaf_that_is_not_there_may_be_one_that_has_no_tag() -> None:
    hint = Only[LinearState, "seen"]
    report = explain(nnx.filter_state(tagged("bias"), "seen"), hint)
    assert str(report) == (
        "fits Only[LinearState, 'seen']\n"
        "  dims: dout=3\n"
        "  unknown: kernel: whether 'seen' selects it can't be told"
    )
    assert explain(nnx.filter_state(tagged("kernel", "bias"), "seen"), hint).unknown == ()


def test_what_a_value_does_not_show_is_listed_by_field() -> None:
    both = nnx.Any(nnx.PathContains("kernel"), nnx.WithTag("seen"))
    kept = nnx.to_pure_dict(nnx.filter_state(tagged("bias"), both))
    hint = Pure[Only[LinearState, both]]
    report = explain(kept, hint)
    assert report
    assert [str(one) for one in report.unknown] == [
        f"bias: whether Any({nnx.PathContains('kernel')}, WithTag('seen')) selects it can't be told"
    ]
    assert [one.path for one in explain({"bias": kept["bias"]}, hint).violations] == ["kernel"]
    assert [one.code for one in explain({**kept, "bias": jnp.ones(4)}, hint).violations] == ["dim"]


WITHOUT_TAGS = {
    "Pure": lambda hint: Pure[hint],
    "Values": lambda hint: Values[hint],
    "Like": lambda hint: Like[hint, nnx.BatchStat],
}


@pytest.mark.parametrize("form", WITHOUT_TAGS.values(), ids=WITHOUT_TAGS)
def test_a_filter_that_decides_of_no_leaf_is_a_mistake(form: Any) -> None:
    with pytest.raises(SchemaError) as error:
        form(Only[LinearState, nnx.WithTag("seen")])
    assert str(error.value).endswith(
        "nothing in it shows what WithTag('seen') reads: it decides of no leaf"
    )


def test_a_callable_over_paths_decides_in_every_form() -> None:
    class Matches:
        """As checkpoint filters are written: over the joined path."""

        def __call__(self, path: Any, leaf: Any) -> bool:
            return "/".join(map(str, path)).endswith("kernel")

    full = nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0)))
    kept = nnx.filter_state(full, Matches())
    hint = Only[MlpState, Matches()]
    abstract = jax.eval_shape(lambda: kept)
    for value, form in ((kept, hint), (nnx.to_pure_dict(kept), Pure[hint])):
        assert explain(value, form).unknown == ()
        assert fits(value, form)
        assert not fits(nnx.State({}) if value is kept else {}, form)
    assert fits(abstract, Abstract[hint])
    assert not fits(nnx.to_pure_dict(full), Pure[hint])
    assert not fits(full, hint)


def test_a_filter_that_raises_is_a_violation() -> None:
    class TableState(TypedState):
        kernel: nnx.Param[Float[Array, "n"]]
        table: Float[Array, "n"]

    def of_main(path: Any, leaf: Any) -> bool:
        return bool(leaf.group == "main")

    hint = Only[TableState, of_main]
    tree = state({"kernel": nnx.Param(jnp.ones(2)), "table": jnp.ones(2)})
    for _ in range(3):
        assert not fits(tree, hint)
    raised = "expected an answer of the filter of_main, found AttributeError from it [predicate]"
    found = [str(one) for one in explain(tree, hint).violations]
    assert found == [f"kernel: {raised}", f"table: {raised}"]
    right = state({"kernel": nnx.Param(jnp.ones(2), group="main")})
    for _ in range(3):
        assert fits(right, hint)
        assert not fits(tree, hint)


# -- A union, of which the filter may select one alternative ---------------------------------


class EitherState(TypedState):
    kernel: nnx.Param
    scale: nnx.Param[Float[Array, "n"]] | nnx.BatchStat[Float[Array, "m"]]


class AroundState(TypedState):
    inner: EitherState


LARGE = nnx.Any(nnx.PathContains("kernel"), lambda _, found: jax.tree.leaves(found)[0].size > 4)


@pytest.mark.parametrize("size", [3, 6])
def test_a_field_that_is_a_union_may_be_left_out_by_the_filter(size: int) -> None:
    leaves = {"kernel": leaf(nnx.Param, jnp.ones(5))}
    scale = {"scale": leaf(nnx.BatchStat, jnp.ones(size))}
    whole = state({"inner": {**leaves, **scale}})
    form: Any = Only[AroundState, LARGE]
    selected = nnx.filter_state(whole, LARGE)
    assert ("scale" in selected["inner"]) is (size > 4)
    assert fits(selected, form), explain(selected, form)
    assert not fits(state({"inner": scale}), form)


def test_a_form_with_several_kinds_of_it_may_lack_it_too() -> None:
    form: Any = Like[Only[AroundState, LARGE], nnx.Cache | nnx.Intermediate]
    whole = state({"inner": {"kernel": leaf(nnx.Cache, jnp.ones(5))}})
    report = explain(whole, form)
    assert report
    assert [str(item).partition(":")[0] for item in report.unknown] == ["inner.scale"]
    assert fits(whole, form)
