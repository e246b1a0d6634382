"""`Only`, `Rest` and `Plus` over what no schema declares, unions and subclasses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.zoo import LinearState, MlpState, leaf, state
from typedstate import Abstract, Only, Plus, Pure, Rest, TypedState, explain, fits


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
    report = explain(found, only)
    assert [violation.path for violation in report.violations] == (
        ["bias"] if kind is nnx.LoRAParam else ["kernel", "bias"]
    )


def test_the_message_for_a_leaf_that_a_filter_leaves_out_names_the_filter() -> None:
    found = state({"kernel": nnx.Param(jnp.ones((2, 3)))})
    assert str(explain(found, Only[LinearState, nnx.LoRAParam])) == (
        "does not fit Only[LinearState, LoRAParam]: 1 violation\n"
        "  kernel: expected a leaf selected by LoRAParam, found Param float32[2,3] [extra]"
    )
