"""The state of each optimizer, as ``nnx.Optimizer`` keeps it and as optax itself returns it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jaxtyping import BFloat16

from tests.layers.layer_cases import linear
from tests.layers.mutations import changed
from tests.layers.optimizer_cases import (
    CASES,
    KEPT,
    RATE,
    Case,
    ModelState,
    P,
    mlp,
    name_of,
    optimizer,
)
from typedstate import Bind, Cast, Like, Only, TypedState, explain, fits
from typedstate._compat import variables
from typedstate.layers import (
    AdamState,
    Chain,
    LinearState,
    Lookahead,
    Maskable,
    ModelAndOptimizerState,
    OptimizerState,
    Raw,
    ScaleByAdamState,
    SgdState,
)


@pytest.mark.parametrize("case", KEPT, ids=name_of)
def test_optimizer_state_fits(case: Case) -> None:
    hint = OptimizerState[case.hint]
    report = explain(case.state, hint)
    assert report, str(report)
    assert fits(case.state, hint)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_raw_state_fits(case: Case) -> None:
    state = case.tx.init(nnx.state(mlp(), nnx.Param))
    report = explain(state, Raw[case.hint])
    assert report, str(report)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_optimizer_state_fits_after_an_update(case: Case) -> None:
    if case.name in ("lbfgs", "plateau"):
        pytest.skip("its update takes the loss as well")
    if case.name == "muon" and variables.VariableState is not None:
        pytest.skip("optax's muon finds no leaves in a VariableState")
    params = nnx.state(mlp(), nnx.Param)
    state = case.tx.init(params)
    _, state = jax.jit(case.tx.update)(params, state, params)
    report = explain(state, Raw[case.hint])
    assert report, str(report)


@pytest.mark.parametrize("case", KEPT, ids=name_of)
def test_raw_and_kept_states_are_told_apart(case: Case) -> None:
    raw = case.tx.init(nnx.state(mlp(), nnx.Param))
    assert not fits(raw, OptimizerState[case.hint])
    if jax.tree.leaves(raw):
        assert not fits(case.state, Raw[case.hint])


def test_moments_agree_with_each_other() -> None:
    class Whole(TypedState):
        model: Bind[ModelState, "d hidden"]
        optimizer: OptimizerState[AdamState[Bind[ModelState, "d hidden"]]]

    def whole(hidden: int) -> Any:
        model = nnx.state(mlp())
        kept = dict(nnx.state(optimizer(optax.adam(RATE), mlp(2, hidden))).raw_mapping)
        kept.pop("model", None)
        return nnx.State({"model": dict(model.raw_mapping), "optimizer": kept})

    assert explain(whole(3), Whole).dims == {"d": 2, "hidden": 3}
    report = explain(whole(4), Whole)
    assert {item.code for item in report.violations} == {"dim"}


def test_mu_of_another_dtype_can_be_asked_for() -> None:
    class Half(ScaleByAdamState[P]):
        mu: Like[Cast[P, BFloat16], nnx.optimizer.OptVariable]

    half = nnx.state(optimizer(optax.adam(RATE, mu_dtype=jnp.bfloat16)))
    full = nnx.state(optimizer(optax.adam(RATE)))
    assert fits(half, OptimizerState[Chain[Half, None]])
    report = explain(full, OptimizerState[Chain[Half, None]])
    assert [item.code for item in report.violations] == ["dtype"] * 4


def test_nu_has_the_dtype_of_the_parameters() -> None:
    state = nnx.state(optimizer(optax.adam(RATE)))
    path = ("opt_state", 0, "nu", "up", "kernel")
    broken = changed(state, path, value=lambda array: array.astype(jnp.bfloat16))
    report = explain(broken, OptimizerState[AdamState[P]])
    assert [item.code for item in report.violations] == ["dtype"]


def test_masked_node_is_refused_where_nothing_masks() -> None:
    state = nnx.state(optimizer(optax.adam(RATE)))
    broken = changed(state, ("opt_state", 0, "mu", "up", "bias"), value=optax.MaskedNode())
    assert not fits(broken, OptimizerState[AdamState[P]])
    assert fits(broken, OptimizerState[AdamState[Maskable[P]]])


def test_lora_parameters_only() -> None:
    from typedstate.layers import LoRALinearState

    model = nnx.LoRALinear(2, 3, lora_rank=1, rngs=nnx.Rngs(0))
    state = nnx.state(optimizer(optax.adam(RATE), model, wrt=nnx.LoRAParam))
    hint = OptimizerState[AdamState[Only[LoRALinearState, nnx.LoRAParam]]]
    assert explain(state, hint)
    assert not explain(state, OptimizerState[AdamState[Only[LoRALinearState, nnx.Param]]])


def test_model_and_optimizer() -> None:
    cls = getattr(nnx, "ModelAndOptimizer", nnx.Optimizer)
    state = nnx.state(cls(linear(), optax.adam(RATE), wrt=nnx.Param))
    hint = ModelAndOptimizerState[LinearState, AdamState[Only[LinearState, nnx.Param]]]
    report = explain(state, hint)
    assert report, str(report)
    assert not fits(changed(state, ("model", "kernel"), drop=True), hint)


def test_lookahead_keeps_the_state_of_the_fast_optimizer() -> None:
    tx = optax.lookahead(optax.adam(RATE), sync_period=2, slow_step_size=0.5)
    params = optax.LookaheadParams.init_synced(nnx.state(mlp(), nnx.Param))
    state = tx.init(params)
    hint = Raw[Lookahead[AdamState[P]]]
    assert explain(state, hint), str(explain(state, hint))
    late = state._replace(steps_since_sync=jnp.float32(0))
    assert str(explain(late, hint)).splitlines()[1] == (
        "  steps_since_sync: expected dtype Int, found float32[] [dtype]"
    )
    assert not fits(state, Raw[Lookahead[SgdState[P]]])
