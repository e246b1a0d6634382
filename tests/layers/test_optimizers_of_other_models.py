"""An optimizer that was made for another model is refused, and the report says so."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from tests import zoo
from tests.layers.mutations import changed
from tests.layers.optimizer_cases import keeps_masked_nodes, labels
from tests.zoo import HAS_VARIABLE_STATE, NormState, Stack, StackState
from typedstate import Only, Report, StateTypeError, checked, explain
from typedstate.layers import (
    AdamState,
    Chain,
    Maskable,
    MultiSteps,
    MultiTransform,
    OptimizerState,
    SgdState,
)

pytestmark = pytest.mark.skipif(
    HAS_VARIABLE_STATE, reason="up to Flax 0.10 an optimizer holds its model"
)
CAUSE = (
    "the optimizer was made for another model or other parameters: "
    "nnx.Optimizer(model, tx, wrt=nnx.Param) makes one for these"
)
P = Only[StackState, nnx.Param]
ADAM, MOMENTUM = optax.adam(0.1), optax.sgd(0.1, momentum=0.9)
MAKES: dict[str, tuple[Any, Any]] = {
    "adam": (ADAM, AdamState[P]),
    "momentum": (MOMENTUM, SgdState[P]),
    "chain": (optax.chain(optax.clip(1.0), ADAM), Chain[None, AdamState[P]]),
    "many steps": (optax.MultiSteps(ADAM, 2), MultiSteps[AdamState[P], P]),
}


def stack(d: int = 4, hidden: int = 6, depth: int = 3) -> Stack:
    return Stack(d, hidden, depth, nnx.Rngs(0))


def report_of(model: Any, opt: Any, hint: Any) -> Report:
    @checked
    def step(
        model: Annotated[Stack, StackState], opt: Annotated[nnx.Optimizer, OptimizerState[hint]]
    ) -> None: ...

    with pytest.raises(StateTypeError) as error:
        step(model, opt)
    assert error.value.report is not None
    return error.value.report


if keeps_masked_nodes():
    MAKES["partition"] = (
        optax.multi_transform({"kernels": ADAM, "biases": MOMENTUM}, labels),
        MultiTransform[AdamState[Maskable[P]] | SgdState[Maskable[P]]],
    )


def optimizer(model: Any, tx: Any) -> nnx.Optimizer[Any]:
    return nnx.Optimizer(model, tx, wrt=nnx.Param)


@pytest.mark.parametrize("make", MAKES)
def test_of_another_width(make: str) -> None:
    tx, hint = MAKES[make]
    report = report_of(stack(), optimizer(stack(hidden=8), tx), hint)
    assert report.cause == CAUSE
    assert report.explained == frozenset(range(len(report.violations)))


@pytest.mark.parametrize("make", [make for make in MAKES if make != "momentum"])
def test_of_another_depth(make: str) -> None:
    tx, hint = MAKES[make]
    for depth in (2, 4):
        report = report_of(stack(), optimizer(stack(depth=depth), tx), hint)
        assert report.cause == CAUSE, str(report)


def test_the_cause_stands_for_its_violations() -> None:
    report = report_of(stack(), optimizer(stack(hidden=8), ADAM), AdamState[P])
    assert str(report).splitlines()[1:] == [
        f"  cause: {CAUSE}",
        "  opt.opt_state[0].mu.layers[0].up.kernel: dout is 8, but hidden=6 from "
        "model.layers[0].up.kernel, axis 1 [dim]",
        "  opt.opt_state[0].mu.layers[0].up.bias: dout is 8, but hidden=6 from "
        "model.layers[0].up.kernel, axis 1 [dim]",
        "  opt.opt_state[0].mu.layers[0].down.kernel: din is 8, but hidden=6 from "
        "model.layers[0].up.kernel, axis 1 [dim]",
        "  and 15 more of that cause",
        "  dims: d=4 depth=3",
    ]


def test_of_other_parameters() -> None:
    """The optimizer updates another kind of Variables than the schema says."""
    model = stack()
    opt = nnx.Optimizer(model, ADAM, wrt=nnx.All(nnx.Param, nnx.PathContains("layers")))
    assert report_of(model, opt, AdamState[P]).cause == CAUSE


def test_of_the_model_before_its_head_was_changed() -> None:
    model = stack()
    opt = optimizer(model, ADAM)
    model.heads["a"] = nnx.Linear(4, 9, rngs=nnx.Rngs(1))
    report = report_of(model, opt, AdamState[P])
    assert (report.cause, len(report.violations)) == (CAUSE, 4)


def test_moments_that_are_wrong_by_themselves_have_another_cause() -> None:
    def cause(tx: Any, hint: Any, moment: str, *kernels: Any) -> tuple[int, str]:
        state: Any = nnx.state(optimizer(stack(), tx))
        for kernel in kernels:
            path = ("opt_state", 0, moment, *kernel, "kernel")
            state = changed(state, path, value=jnp.ones((4, 9)))
        report = explain(state, OptimizerState[hint])
        return len(report.violations), report.cause

    up, head = ("layers", 0, "up"), ("heads", "a")
    assert cause(ADAM, AdamState[P], "mu", head) == (1, "")
    assert cause(ADAM, AdamState[P], "nu", up) == (1, "")
    assert cause(MOMENTUM, SgdState[P], "trace", up, head) == (2, "")


def test_a_schema_of_another_model_is_not_the_optimizers_fault() -> None:
    class NormedState(StackState):
        norm: NormState

    model, params = stack(), Only[NormedState, nnx.Param]
    opt = optimizer(model, ADAM)

    @checked
    def step(
        model: Annotated[Stack, NormedState],
        opt: Annotated[nnx.Optimizer, OptimizerState[AdamState[params]]],  # type: ignore[valid-type]
    ) -> None: ...

    with pytest.raises(StateTypeError) as error:
        step(model, opt)
    assert error.value.report is not None
    assert [one.path for one in error.value.report.violations] == [
        *("model.norm", "opt.opt_state[0].mu.norm", "opt.opt_state[0].nu.norm"),
    ]
    assert error.value.report.cause == ""


def test_keys_that_became_text_have_a_cause_of_their_own() -> None:
    opt: Any = zoo.as_dict(nnx.state(optimizer(stack(), ADAM)))
    for moment in ("mu", "nu"):
        layers = opt["opt_state"][0][moment]["layers"]
        opt["opt_state"][0][moment]["layers"] = {str(key): layers[key] for key in layers}
    report = explain(nnx.State(opt), OptimizerState[AdamState[P]])
    assert [one.code for one in report.violations] == ["key", "key"]
    assert report.cause == ""
