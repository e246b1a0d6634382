"""The state of each optimizer, as ``nnx.Optimizer`` keeps it and as optax itself returns it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jaxtyping import Array, BFloat16, Float32
from layer_cases import linear
from mutations import changed, flat, leaves_of
from optax import contrib

from typedstate import Bind, Like, Only, StateMap, TypedState, explain, fits, leaves
from typedstate.layers import (
    AdabeliefState,
    AdadeltaState,
    AdafactorState,
    AdagradState,
    AdamState,
    AddNoiseState,
    AmsgradState,
    ApplyIfFinite,
    CenteredRmspropState,
    Chain,
    Conditional,
    EmaState,
    Injected,
    LinearState,
    LionState,
    Maskable,
    Masked,
    ModelAndOptimizerState,
    MultiSteps,
    MultiTransform,
    MuonState,
    NovogradState,
    OptimizerState,
    Raw,
    ReduceLROnPlateauState,
    RmspropState,
    ScaleByAdamState,
    ScaleByAdanState,
    ScaleByLBFGSState,
    ScaleByRmsState,
    ScaleByRpropState,
    ScaleByScheduleState,
    ScaleByZoomLinesearchState,
    ScheduleFree,
    SgdState,
    TraceState,
    ZeroNansState,
)


class KernelState(TypedState):
    kernel: nnx.Param[Float32[Array, "din dout"]]
    bias: nnx.Param[Float32[Array, "dout"]]


class ModelState(TypedState):
    up: Bind[KernelState, "din=d dout=hidden"]
    down: Bind[KernelState, "din=hidden dout=d"]


class Model(nnx.Module):
    def __init__(self, d: int = 2, hidden: int = 3) -> None:
        rngs = nnx.Rngs(0)
        self.up = nnx.Linear(d, hidden, rngs=rngs)
        self.down = nnx.Linear(hidden, d, rngs=rngs)


P = Only[ModelState, nnx.Param]
RATE = 0.1
SCHEDULE = optax.constant_schedule(RATE)


def is_kernel(params: Any) -> Any:
    return jax.tree.map(lambda array: array.ndim > 1, params)


def labels(params: Any) -> Any:
    return jax.tree.map(lambda array: "kernels" if array.ndim > 1 else "biases", params)


@dataclass(frozen=True, eq=False)
class Case:
    name: str
    tx: Any
    hint: Any

    @cached_property
    def state(self) -> Any:
        return nnx.state(optimizer(self.tx))


def optimizer(tx: Any, model: Any = None, wrt: Any = nnx.Param) -> Any:
    return nnx.Optimizer(Model() if model is None else model, tx, wrt=wrt)


NOISE = {"key": jax.random.key(0)}
CASES = (
    Case("sgd", optax.sgd(RATE), SgdState[P]),
    Case("sgd with momentum", optax.sgd(RATE, momentum=0.9), SgdState[P]),
    Case(
        "sgd with momentum in bfloat16",
        optax.sgd(SCHEDULE, momentum=0.9, accumulator_dtype=jnp.bfloat16),
        SgdState[P],
    ),
    Case("adam", optax.adam(RATE), AdamState[P]),
    Case("adam on a schedule", optax.adam(SCHEDULE), AdamState[P]),
    Case("adam with mu_dtype", optax.adam(RATE, mu_dtype=jnp.bfloat16), AdamState[P]),
    Case("adamw", optax.adamw(RATE), AdamState[P]),
    Case("adamw with mask", optax.adamw(SCHEDULE, mask=is_kernel), AdamState[P]),
    Case("nadamw", optax.nadamw(RATE), AdamState[P]),
    Case("adamax", optax.adamax(RATE), AdamState[P]),
    Case("radam", optax.radam(RATE), AdamState[P]),
    Case("yogi", optax.yogi(RATE), AdamState[P]),
    Case("lamb", optax.lamb(SCHEDULE), AdamState[P]),
    Case("amsgrad", optax.amsgrad(RATE), AmsgradState[P]),
    Case("adabelief", optax.adabelief(RATE), AdabeliefState[P]),
    Case("novograd", optax.novograd(RATE), NovogradState[P]),
    Case("lion", optax.lion(RATE, mu_dtype=jnp.bfloat16), LionState[P]),
    Case("rmsprop", optax.rmsprop(RATE), RmspropState[P]),
    Case("rmsprop with momentum", optax.rmsprop(SCHEDULE, momentum=0.9), RmspropState[P]),
    Case("centered rmsprop", optax.rmsprop(RATE, centered=True), CenteredRmspropState[P]),
    Case("adagrad", optax.adagrad(RATE), AdagradState[P]),
    Case("adadelta", optax.adadelta(SCHEDULE), AdadeltaState[P]),
    Case("adafactor", optax.adafactor(RATE), AdafactorState[P]),
    Case(
        "adafactor with factors and momentum",
        optax.adafactor(SCHEDULE, min_dim_size_to_factor=1, momentum=0.9, weight_decay_rate=0.1),
        AdafactorState[P],
    ),
    Case("adan", optax.adan(RATE), Chain[ScaleByAdanState[P], None, None]),
    Case("rprop", optax.rprop(RATE), Chain[ScaleByRpropState[P], None]),
    Case("lars", optax.lars(RATE), Chain[None, None, None, TraceState[P]]),
    Case(
        "lbfgs",
        optax.lbfgs(),
        Chain[ScaleByLBFGSState[P], None, ScaleByZoomLinesearchState[P]],
    ),
    Case("ema", optax.ema(0.9), EmaState[P]),
    Case("zero_nans", optax.zero_nans(), ZeroNansState[P]),
    Case("noisy_sgd", optax.noisy_sgd(RATE, **NOISE), Chain[AddNoiseState, None]),
    Case("plateau", contrib.reduce_on_plateau(), ReduceLROnPlateauState),
    Case("nothing", optax.identity(), None),
    Case("a chain of nothing", optax.chain(optax.clip(1.0), optax.scale(2.0)), Chain[None, None]),
    Case(
        "chain",
        optax.chain(optax.clip(1.0), optax.adam(RATE), optax.scale_by_schedule(SCHEDULE)),
        Chain[None, AdamState[P], ScaleByScheduleState],
    ),
    Case(
        "named_chain",
        optax.named_chain(("clip", optax.clip(1.0)), ("adam", optax.adam(RATE))),
        StateMap[str, AdamState[P]],
    ),
    Case("masked", optax.masked(optax.adam(RATE), is_kernel), Masked[AdamState[Maskable[P]]]),
    Case(
        "multi_transform",
        optax.multi_transform(
            {"kernels": optax.adam(RATE), "biases": optax.sgd(RATE, momentum=0.9)}, labels
        ),
        MultiTransform[AdamState[Maskable[P]] | SgdState[Maskable[P]]],
    ),
    Case(
        "a frozen part",
        optax.multi_transform({"kernels": optax.adam(RATE), "biases": optax.set_to_zero()}, labels),
        MultiTransform[AdamState[Maskable[P]] | None],
    ),
    Case(
        "inject_hyperparams",
        optax.inject_hyperparams(optax.adam)(RATE),
        Injected[AdamState[P]],
    ),
    Case(
        "inject_hyperparams with a schedule",
        optax.inject_hyperparams(optax.adamw)(SCHEDULE, weight_decay=SCHEDULE),
        Injected[AdamState[P]],
    ),
    Case("MultiSteps", optax.MultiSteps(optax.adam(RATE), 4), MultiSteps[AdamState[P], P]),
    Case(
        "MultiSteps that skips",
        optax.MultiSteps(optax.sgd(RATE), 4, should_skip_update_fn=optax.skip_not_finite),
        MultiSteps[SgdState[P], P],
    ),
    Case(
        "apply_if_finite", optax.apply_if_finite(optax.adam(RATE), 3), ApplyIfFinite[AdamState[P]]
    ),
    Case(
        "conditionally_transform",
        optax.conditionally_transform(optax.adam(RATE), lambda step: step > 1),
        Conditional[AdamState[P]],
    ),
    Case(
        "schedule_free",
        contrib.schedule_free_adamw(RATE),
        ScheduleFree[Chain[ScaleByRmsState[P], None, None], P],
    ),
    Case(
        "muon",
        contrib.muon(RATE),
        MultiTransform[Chain[MuonState[Maskable[P]], None, None, None] | AdamState[Maskable[P]]],
    ),
)


def keeps_masked_nodes() -> bool:
    """Flax 0.11's ``nnx.Optimizer`` fails on the masked nodes of optax."""
    try:
        optimizer(optax.masked(optax.adam(RATE), is_kernel))
    except TypeError:
        return False
    return True


MASKED = frozenset({"masked", "multi_transform", "a frozen part", "muon"})
KEPT = CASES if keeps_masked_nodes() else tuple(c for c in CASES if c.name not in MASKED)


def name_of(case: Any) -> str:
    return case.name if isinstance(case, Case) else ".".join(map(str, case))


@pytest.mark.parametrize("case", KEPT, ids=name_of)
def test_optimizer_state_fits(case: Case) -> None:
    hint = OptimizerState[case.hint]
    report = explain(case.state, hint)
    assert report, str(report)
    assert fits(case.state, hint)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_raw_state_fits(case: Case) -> None:
    state = case.tx.init(nnx.state(Model(), nnx.Param))
    report = explain(state, Raw[case.hint])
    assert report, str(report)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_optimizer_state_fits_after_an_update(case: Case) -> None:
    if case.name in ("lbfgs", "plateau"):
        pytest.skip("its update takes the loss as well")
    if case.name == "muon" and leaves.VariableState is not None:
        pytest.skip("optax's muon finds no leaves in a VariableState")
    params = nnx.state(Model(), nnx.Param)
    state = case.tx.init(params)
    _, state = jax.jit(case.tx.update)(params, state, params)
    report = explain(state, Raw[case.hint])
    assert report, str(report)


@pytest.mark.parametrize("case", KEPT, ids=name_of)
def test_raw_and_kept_states_are_told_apart(case: Case) -> None:
    raw = case.tx.init(nnx.state(Model(), nnx.Param))
    assert not fits(raw, OptimizerState[case.hint])
    if jax.tree.leaves(raw):
        assert not fits(case.state, Raw[case.hint])


LEAVES = [
    (case, path)
    for case in KEPT
    if case.name in {"adam", "sgd with momentum", "inject_hyperparams", "MultiSteps", "masked"}
    for path in leaves_of(case.state)
    if path[0] != "model"
]


@pytest.mark.parametrize(("case", "path"), LEAVES, ids=name_of)
@pytest.mark.parametrize("fault", ["kind", "rank", "missing"])
def test_broken_optimizer_state_is_refused(
    case: Case, path: tuple[Any, ...], fault: Literal["kind", "rank", "missing"]
) -> None:
    masked = not hasattr(leaves.raw_value(dict(flat(case.state))[path]), "shape")
    if fault == "kind":
        broken = changed(case.state, path, kind=nnx.Cache)
    elif fault == "missing":
        if path[:2] == ("opt_state", "hyperparams"):
            return
        broken = changed(case.state, path, drop=True)
    else:
        if masked or path[:2] == ("opt_state", "hyperparams"):
            return
        broken = changed(case.state, path, value=lambda array: jnp.stack([array] * 3))
    report = explain(broken, OptimizerState[case.hint])
    assert not report
    assert not fits(broken, OptimizerState[case.hint])


def test_moments_agree_with_each_other() -> None:
    class Whole(TypedState):
        model: Bind[ModelState, "d hidden"]
        optimizer: OptimizerState[AdamState[Bind[ModelState, "d hidden"]]]

    def whole(hidden: int) -> Any:
        model = nnx.state(Model())
        kept = dict(nnx.state(optimizer(optax.adam(RATE), Model(2, hidden))).raw_mapping)
        kept.pop("model", None)
        return nnx.State({"model": dict(model.raw_mapping), "optimizer": kept})

    assert explain(whole(3), Whole).dims == {"d": 2, "hidden": 3}
    report = explain(whole(4), Whole)
    assert {item.code for item in report.violations} == {"dim"}


def test_mu_of_another_dtype_can_be_asked_for() -> None:
    class Half(ScaleByAdamState[P]):
        mu: Like[Like[P, BFloat16], nnx.optimizer.OptVariable]

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
