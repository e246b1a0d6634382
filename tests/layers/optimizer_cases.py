"""Optimizers over a small model, each with the schema of its state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float32
from optax import contrib

from tests.zoo import Mlp
from typedstate import Bind, Only, StateMap, TypedState
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
    LionState,
    Maskable,
    Masked,
    MultiSteps,
    MultiTransform,
    MuonState,
    NovogradState,
    ReduceLROnPlateauState,
    RmspropState,
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


def mlp(d: int = 2, hidden: int = 3) -> Mlp:
    return Mlp(d, hidden, rngs=nnx.Rngs(0))


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
    return nnx.Optimizer(mlp() if model is None else model, tx, wrt=wrt)


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
    """For test ids: of a case, or of a path."""
    return case.name if isinstance(case, Case) else ".".join(map(str, case))
