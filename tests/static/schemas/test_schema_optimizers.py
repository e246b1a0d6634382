"""The catalogue's schemas of optimizer states: what they are to a type checker."""

import importlib
from typing import Any, TypeVar, assert_type

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.training.optimizer import OptArray, OptState, OptVariable
from schema_models import seen
from typing_extensions import TypeForm

from typedstate import Like, Only, check, optimizer_state
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
    FactoredState,
    Injected,
    LinearState,
    LinesearchInfoState,
    LionState,
    Lookahead,
    Maskable,
    Masked,
    ModelAndOptimizerState,
    Moment,
    MultiSteps,
    MultiTransform,
    MuonState,
    NovogradState,
    OptimizerState,
    Raw,
    ReduceLROnPlateauState,
    RmspropState,
    ScaleByAdaDeltaState,
    ScaleByAdamState,
    ScaleByAdanState,
    ScaleByAmsgradState,
    ScaleByBeliefState,
    ScaleByLBFGSState,
    ScaleByLionState,
    ScaleByNovogradState,
    ScaleByRmsState,
    ScaleByRpropState,
    ScaleByRssState,
    ScaleByRStdDevState,
    ScaleByScheduleState,
    ScaleByZoomLinesearchState,
    ScheduleFree,
    SgdState,
    TraceState,
    WrappedScheduleState,
    ZeroNansState,
)

optax: Any = importlib.import_module("optax")  # it says nothing of its types
contrib: Any = importlib.import_module("optax.contrib")
T = TypeVar("T")
S = LinearState
RATE = 0.1


def model() -> nnx.Linear:
    return nnx.Linear(2, 3, rngs=nnx.Rngs(0))


def schedule() -> Any:
    return optax.constant_schedule(RATE)


def is_kernel(array: jax.Array) -> bool:
    return array.ndim > 1


def kernels(params: Any) -> Any:
    return jax.tree.map(is_kernel, params)


def label(array: jax.Array) -> str:
    return "kernels" if is_kernel(array) else "biases"


def labels(params: Any) -> Any:
    return jax.tree.map(label, params)


def is_later(step: jax.Array) -> jax.Array:
    return jnp.greater(step, 1)


def kept(transformation: Any, hint: TypeForm[T]) -> T:
    """What `nnx.Optimizer` keeps of a transformation, checked."""
    state = nnx.state(nnx.Optimizer(model(), transformation, wrt=nnx.Param))
    return check(state["opt_state"], hint)


def test_optimizers() -> None:
    state = nnx.state(nnx.Optimizer(model(), optax.adam(RATE), wrt=nnx.Param))
    optimizer = OptimizerState[AdamState[Only[S, nnx.Param]]].of(state)
    seen(assert_type(optimizer, OptimizerState[AdamState[S]]), nnx.State)
    seen(assert_type(optimizer.step, OptState), OptState)
    seen(assert_type(optimizer.opt_state, AdamState[S]), nnx.State)
    both = nnx.ModelAndOptimizer(model(), optax.adam(RATE), wrt=nnx.Param)
    training = ModelAndOptimizerState[S, AdamState[S]].of(both)
    seen(assert_type(training, ModelAndOptimizerState[S, AdamState[S]]), nnx.State)
    seen(assert_type(training.model.kernel, nnx.Param[jax.Array]), nnx.Param)


def test_from_the_transformation() -> None:
    adam = optax.adam(RATE)
    hint = optimizer_state(adam, Only[S, nnx.Param])
    seen(assert_type(optimizer_state(adam, Only[S, nnx.Param]), Any), type)
    state = nnx.state(nnx.Optimizer(model(), adam, wrt=nnx.Param))
    seen(assert_type(check(state, hint), Any), nnx.State)


def test_what_optax_has_ready() -> None:
    seen(assert_type(kept(optax.adam(RATE), AdamState[S]), AdamState[S]), nnx.State)
    seen(assert_type(kept(optax.amsgrad(RATE), AmsgradState[S]), AmsgradState[S]), nnx.State)
    belief = kept(optax.adabelief(RATE), AdabeliefState[S])
    seen(assert_type(belief, AdabeliefState[S]), nnx.State)
    seen(assert_type(kept(optax.novograd(RATE), NovogradState[S]), NovogradState[S]), nnx.State)
    seen(assert_type(kept(optax.lion(RATE), LionState[S]), LionState[S]), nnx.State)
    seen(assert_type(kept(optax.sgd(RATE, momentum=0.9), SgdState[S]), SgdState[S]), nnx.State)
    seen(assert_type(kept(optax.rmsprop(RATE), RmspropState[S]), RmspropState[S]), nnx.State)
    centered = kept(optax.rmsprop(RATE, centered=True), CenteredRmspropState[S])
    seen(assert_type(centered, CenteredRmspropState[S]), nnx.State)
    seen(assert_type(kept(optax.adagrad(RATE), AdagradState[S]), AdagradState[S]), nnx.State)
    seen(assert_type(kept(optax.adadelta(RATE), AdadeltaState[S]), AdadeltaState[S]), nnx.State)
    factored = kept(optax.adafactor(RATE), AdafactorState[S])
    seen(assert_type(factored, AdafactorState[S]), nnx.State)


def test_transformations() -> None:
    adam = kept(optax.scale_by_adam(), ScaleByAdamState[S])
    seen(assert_type(adam, ScaleByAdamState[S]), nnx.State)
    seen(assert_type(adam.mu, Moment[S]), nnx.State)
    seen(assert_type(adam.nu, Like[S, OptVariable]), nnx.State)
    seen(assert_type(adam.count, OptArray), OptArray)
    amsgrad = kept(optax.scale_by_amsgrad(), ScaleByAmsgradState[S])
    seen(assert_type(amsgrad, ScaleByAmsgradState[S]), nnx.State)
    belief = kept(optax.scale_by_belief(), ScaleByBeliefState[S])
    seen(assert_type(belief, ScaleByBeliefState[S]), nnx.State)
    novograd = kept(optax.scale_by_novograd(), ScaleByNovogradState[S])
    seen(assert_type(novograd, ScaleByNovogradState[S]), nnx.State)
    adan = kept(optax.scale_by_adan(), ScaleByAdanState[S])
    seen(assert_type(adan, ScaleByAdanState[S]), nnx.State)
    lion = kept(optax.scale_by_lion(), ScaleByLionState[S])
    seen(assert_type(lion, ScaleByLionState[S]), nnx.State)
    rms = kept(optax.scale_by_rms(), ScaleByRmsState[S])
    seen(assert_type(rms, ScaleByRmsState[S]), nnx.State)
    deviation = kept(optax.scale_by_stddev(), ScaleByRStdDevState[S])
    seen(assert_type(deviation, ScaleByRStdDevState[S]), nnx.State)
    rss = kept(optax.scale_by_rss(), ScaleByRssState[S])
    seen(assert_type(rss, ScaleByRssState[S]), nnx.State)
    adadelta = kept(optax.scale_by_adadelta(), ScaleByAdaDeltaState[S])
    seen(assert_type(adadelta, ScaleByAdaDeltaState[S]), nnx.State)
    rprop = kept(optax.scale_by_rprop(RATE), ScaleByRpropState[S])
    seen(assert_type(rprop, ScaleByRpropState[S]), nnx.State)
    trace = kept(optax.trace(0.9), TraceState[S])
    seen(assert_type(trace, TraceState[S]), nnx.State)
    ema = kept(optax.ema(0.9), EmaState[S])
    seen(assert_type(ema, EmaState[S]), nnx.State)
    factored = kept(optax.scale_by_factored_rms(), FactoredState[S])
    seen(assert_type(factored, FactoredState[S]), nnx.State)
    lbfgs = kept(optax.scale_by_lbfgs(), ScaleByLBFGSState[S])
    seen(assert_type(lbfgs, ScaleByLBFGSState[S]), nnx.State)
    search = kept(optax.scale_by_zoom_linesearch(3), ScaleByZoomLinesearchState[S])
    seen(assert_type(search, ScaleByZoomLinesearchState[S]), nnx.State)
    seen(assert_type(search.info, LinesearchInfoState), nnx.State)
    scheduled = kept(optax.scale_by_schedule(schedule()), ScaleByScheduleState)
    seen(assert_type(scheduled, ScaleByScheduleState), nnx.State)
    noise = kept(optax.add_noise(RATE, 0.5, key=jax.random.key(0)), AddNoiseState)
    seen(assert_type(noise, AddNoiseState), nnx.State)
    nans = kept(optax.zero_nans(), ZeroNansState[S])
    seen(assert_type(nans, ZeroNansState[S]), nnx.State)
    plateau = kept(contrib.reduce_on_plateau(), ReduceLROnPlateauState)
    seen(assert_type(plateau, ReduceLROnPlateauState), nnx.State)
    muon = kept(contrib.scale_by_muon(), MuonState[Maskable[S]] | MuonState[S])
    seen(assert_type(muon, MuonState[Maskable[S]] | MuonState[S]), nnx.State)


def test_wrappers() -> None:
    adam, masked = optax.adam(RATE), optax.masked(optax.adam(RATE), kernels)
    chain = kept(optax.chain(optax.clip(1.0), adam), Chain[None, AdamState[S]])
    seen(assert_type(chain, Chain[None, AdamState[S]]), nnx.State)
    seen(assert_type(chain[1], AdamState[S]), nnx.State)
    part = kept(masked, Masked[AdamState[Maskable[S]]])
    seen(assert_type(part, Masked[AdamState[Maskable[S]]]), nnx.State)
    seen(assert_type(part.inner_state, AdamState[Maskable[S]]), nnx.State)
    labelled = optax.multi_transform({"kernels": adam, "biases": optax.set_to_zero()}, labels)
    multi = kept(labelled, MultiTransform[AdamState[Maskable[S]] | None])
    seen(assert_type(multi, MultiTransform[AdamState[Maskable[S]] | None]), nnx.State)
    injecting = optax.inject_hyperparams(optax.adam)(schedule())
    injected = kept(injecting, Injected[AdamState[S]])
    seen(assert_type(injected, Injected[AdamState[S]]), nnx.State)
    assert "hyperparams_states" in injected
    assert injected.hyperparams_states is not None
    followed = injected.hyperparams_states["learning_rate"]
    seen(assert_type(followed, WrappedScheduleState), nnx.State)
    steps = kept(optax.MultiSteps(adam, 4), MultiSteps[AdamState[S], S])
    seen(assert_type(steps, MultiSteps[AdamState[S], S]), nnx.State)
    seen(assert_type(steps.inner_opt_state, AdamState[S]), nnx.State)
    finite = kept(optax.apply_if_finite(adam, 3), ApplyIfFinite[AdamState[S]])
    seen(assert_type(finite, ApplyIfFinite[AdamState[S]]), nnx.State)
    conditional = optax.conditionally_transform(adam, is_later)
    seen(
        assert_type(kept(conditional, Conditional[AdamState[S]]), Conditional[AdamState[S]]),
        nnx.State,
    )
    free = kept(contrib.schedule_free(adam, RATE), ScheduleFree[AdamState[S], S])
    seen(assert_type(free, ScheduleFree[AdamState[S], S]), nnx.State)
    pairs = {"fast_state": nnx.state(model()), "steps_since_sync": OptArray(jnp.int32(0))}
    ahead = check(nnx.State(pairs), Lookahead[S])
    seen(assert_type(ahead, Lookahead[S]), nnx.State)
    seen(assert_type(ahead.fast_state, S), nnx.State)
    raw = adam.init(nnx.state(model(), nnx.Param))
    seen(assert_type(check(raw, Raw[AdamState[S]]), Any), tuple)
