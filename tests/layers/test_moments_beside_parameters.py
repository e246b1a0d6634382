"""Moments and averages belong to the parameters beside them, by sizes and optional leaves."""

from __future__ import annotations

from typing import Annotated, Any

import optax
import pytest
from flax import nnx

from tests import zoo
from tests.agreement import Doors
from typedstate import Bind, Only, StateMap, StateTypeError, TypedState, checked
from typedstate.layers import (
    AdamState,
    Chain,
    EMAState,
    LinearState,
    ModelAndOptimizerState,
    MultiSteps,
    OptimizerState,
    Raw,
)

TX = optax.adam(1e-3)
needs_both = pytest.mark.skipif(
    not hasattr(nnx, "ModelAndOptimizer"), reason="this Flax has one class for both optimizers"
)


class NetState(TypedState):
    head: Bind[LinearState, "din=d dout=classes"]


class Net(nnx.Module):
    def __init__(self, classes: int = 7, *, bias: bool = True) -> None:
        self.head = nnx.Linear(3, classes, use_bias=bias, rngs=nnx.Rngs(0))


Params = Only[NetState, nnx.Param]
Whole = ModelAndOptimizerState[NetState, AdamState[Params]]
SIZES = [
    ".head.kernel: dout is 10, but classes=7 from {}.head.kernel, axis 1 [dim]",
    ".head.bias: dout is 10, but classes=7 from {}.head.kernel, axis 1 [dim]",
]


def said(call: Any, *args: Any) -> list[str]:
    with pytest.raises(StateTypeError) as error:
        call(*args)
    assert error.value.report is not None
    return [str(item) for item in error.value.report.violations]


def sizes(*places: str, model: str = "model") -> list[str]:
    return [f"{place}{text.format(model)}" for place in places for text in SIZES]


def moments(net: Net) -> Any:
    return TX.init(nnx.state(net, nnx.Param))


@checked
def raw(model: Annotated[Net, NetState], opt_state: Raw[AdamState[Params]]) -> None: ...


def test_the_raw_moments_of_another_model() -> None:
    for net in (Net(), Net(10), Net(bias=False), Net()):
        raw(net, moments(net))
    assert said(raw, Net(), moments(Net(10))) == sizes("opt_state[0].mu", "opt_state[0].nu")
    (adam, *rest), (other, *_) = moments(Net()), moments(Net(10))
    mixed = (adam._replace(mu=other.mu), *rest)
    assert said(raw, Net(), mixed) == sizes("opt_state[0].mu")
    without = said(raw, Net(), moments(Net(bias=False)))
    assert [line.partition(":")[0] for line in without] == [
        "opt_state[0].mu.head.bias",
        "opt_state[0].nu.head.bias",
    ]
    assert all(line.endswith("(model.head.bias is there) [missing]") for line in without)
    more = said(raw, Net(bias=False), moments(Net()))
    assert len(more) == 2
    assert all(line.endswith("(model.head.bias is not there) [extra]") for line in more)


@checked
def averaged(model: Annotated[Net, NetState], ema: EMAState[Params]) -> None: ...


@checked
def averaged_in_place(
    model: Annotated[Net, NetState], ema: Annotated[nnx.EMA, EMAState[Params]]
) -> None: ...


@pytest.mark.skipif(not hasattr(nnx, "EMA"), reason="this Flax has no nnx.EMA")
def test_the_average_of_another_model() -> None:
    def average(net: Net) -> Any:
        return nnx.EMA(nnx.state(net, nnx.Param), decay=0.9)

    for call, value in ((averaged, nnx.state), (averaged_in_place, lambda ema: ema)):
        for net in (Net(), Net(10), Net(bias=False)):
            call(net, value(average(net)))
        assert said(call, Net(), value(average(Net(10)))) == sizes("ema.params")
        assert said(call, Net(), value(average(Net(bias=False)))) == [
            'ema.params.head.bias: missing, expected Param[Float[Array, "dout"]] '
            "(model.head.bias is there) [missing]"
        ]
        assert said(call, Net(bias=False), value(average(Net()))) == [
            'ema.params.head.bias: expected nothing, found Param[Float[Array, "dout"]] '
            "(model.head.bias is not there) [extra]"
        ]


@needs_both
def test_a_model_and_its_optimizer_in_one_state() -> None:
    def both(net: Net) -> dict[str, Any]:
        return dict(nnx.state(nnx.ModelAndOptimizer(net, TX)))

    doors = Doors(Whole)
    for net in (Net(), Net(10), Net(bias=False), Net()):
        assert doors.ask(nnx.State(both(net)))

    def mixed(model: Net, other: Net) -> Any:
        return nnx.State({**both(other), "model": nnx.state(model)})

    @checked
    def step(state: Whole) -> None: ...

    places = ("state.opt_state[0].mu", "state.opt_state[0].nu")
    assert said(step, mixed(Net(), Net(10))) == sizes(*places, model="state.model")
    assert all(
        line.endswith("(state.model.head.bias is there) [missing]")
        for line in said(step, mixed(Net(), Net(bias=False)))
    )
    assert all(
        line.endswith("(state.model.head.bias is not there) [extra]")
        for line in said(step, mixed(Net(bias=False), Net()))
    )
    assert not doors.ask(mixed(Net(), Net(10)))
    assert not doors.ask(mixed(Net(), Net(bias=False)))


CHAINED: dict[str, tuple[Any, Any]] = {
    "chain": (
        optax.chain(optax.clip(1.0), TX),
        OptimizerState[Chain[None, AdamState[Params]]],
    ),
    "chain in a chain": (
        optax.chain(optax.chain(optax.clip(1.0), TX), optax.scale(2.0)),
        OptimizerState[Chain[Chain[None, AdamState[Params]], None]],
    ),
    "named_chain": (
        optax.named_chain(("clip", optax.clip(1.0)), ("adam", TX)),
        OptimizerState[StateMap[str, AdamState[Params]]],
    ),
    "a chain in MultiSteps": (
        optax.MultiSteps(optax.chain(optax.clip(1.0), TX), 2),
        OptimizerState[MultiSteps[Chain[None, AdamState[Params]], Params]],
    ),
}


@pytest.mark.skipif(zoo.HAS_VARIABLE_STATE, reason="on Flax 0.10 an optimizer holds its model")
@pytest.mark.parametrize("name", CHAINED)
def test_an_optimizer_in_a_chain_is_that_of_the_model(name: str) -> None:
    tx, hint = CHAINED[name]

    @checked
    def step(model: Annotated[Net, NetState], opt: Annotated[nnx.Optimizer, hint]) -> None: ...

    def of(model: Net) -> Any:
        return nnx.Optimizer(model, tx, wrt=nnx.Param)

    for classes in (4, 6, 4, 6):
        step(Net(classes), of(Net(classes)))
    for other in (Net(7), Net(4, bias=False)):
        with pytest.raises(StateTypeError, match=r"\.mu\."):
            step(Net(4), of(other))
