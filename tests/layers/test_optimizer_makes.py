"""An optimizer of another make is named in optax's words, with the hint that takes it."""

from __future__ import annotations

from typing import Any

import optax
import pytest
from flax import nnx

from tests.zoo import HAS_VARIABLE_STATE, Mlp, MlpState
from typedstate import Only, StateTypeError, checked, explain, fits, layers

pytestmark = pytest.mark.skipif(
    HAS_VARIABLE_STATE, reason="up to Flax 0.10 an optimizer holds its model"
)
Params = Only[MlpState, nnx.Param]
_layers: Any = layers
ADAM = layers.OptimizerState[layers.AdamState[Params]]
SGD = layers.OptimizerState[layers.SgdState[Params]]

MAKES: dict[str, tuple[Any, Any, str, str]] = {
    "no optimizer": (
        optax.adam(1e-3),
        _layers.OptimizerState[Params],
        "adam",
        "AdamState[...]",
    ),
    "clipped": (
        optax.chain(optax.clip(1.0), optax.adam(1e-3)),
        ADAM,
        "chain(_, adam)",
        "Chain[None, AdamState[...]]",
    ),
    "momentum": (optax.sgd(0.1, momentum=0.9), ADAM, "sgd with momentum", "SgdState[...]"),
    "lion": (optax.lion(1e-3), ADAM, "lion", "LionState[...]"),
    "adam for sgd": (optax.adam(1e-3), SGD, "adam", "AdamState[...]"),
    "adamw for sgd": (optax.adamw(1e-3), SGD, "adam", "AdamState[...]"),
    "lamb for sgd": (optax.lamb(1e-3), SGD, "adam", "AdamState[...]"),
    "nadam for sgd": (optax.nadam(1e-3), SGD, "adam", "AdamState[...]"),
    "a schedule more": (
        optax.adam(optax.linear_schedule(1.0, 0.0, 10)),
        layers.OptimizerState[layers.Chain[layers.ScaleByAdamState[Params]]],
        "adam with a schedule",
        "AdamState[...]",
    ),
    "many steps": (
        optax.MultiSteps(optax.adam(1e-3), 2),
        ADAM,
        "MultiSteps(adam)",
        "MultiSteps[AdamState[...], ...]",
    ),
    "hyperparameters": (
        optax.inject_hyperparams(optax.adam)(learning_rate=1e-3),
        ADAM,
        "inject_hyperparams(adam)",
        "Injected[AdamState[...]]",
    ),
    "masked": (
        optax.masked(optax.adam(1e-3), lambda tree: nnx.map_state(lambda *_: True, tree)),
        ADAM,
        "masked(adam)",
        "Masked[AdamState[...]]",
    ),
}


def state_of(tx: Any) -> Any:
    return nnx.state(nnx.Optimizer(Mlp(2, 3, rngs=nnx.Rngs(0)), tx, wrt=nnx.Param))


@pytest.mark.parametrize("name", MAKES)
def test_the_make_is_named_and_the_hint_that_takes_it(name: str) -> None:
    tx, hint, words, fitting = MAKES[name]
    report = explain(state_of(tx), hint)
    assert not report
    assert report.cause == (
        f"the optimizer keeps what optax's {words} keeps: OptimizerState[{fitting}] takes it"
    )
    assert f"  cause: {report.cause}" in str(report).splitlines()


@pytest.mark.parametrize(
    "hint",
    [
        layers.Chain[None, layers.AdamState[Params]],
        _layers.Injected[layers.AdamState[Params]],
        _layers.MultiSteps[layers.AdamState[Params], Params],
    ],
)
def test_what_is_said_to_take_it_takes_it(hint: Any) -> None:
    taken = [
        name for name, (tx, *_) in MAKES.items() if fits(state_of(tx), _layers.OptimizerState[hint])
    ]
    assert len(taken) == 1


def test_a_wrong_moment_is_no_other_make() -> None:
    tree = state_of(optax.adam(1e-3))
    del tree["opt_state"][0]["mu"]["up"]["kernel"]
    report = explain(tree, ADAM)
    assert report.cause == ""
    assert [one.path for one in report.violations] == ["opt_state[0].mu.up.kernel"]


def test_a_raw_state_is_shown_as_it_was_written() -> None:
    hint = layers.Raw[layers.AdamState[Only[MlpState, nnx.Param]]]
    wanted = "Raw[AdamState[Only[MlpState, Param]]]"
    assert str(explain(3, hint)).splitlines() == [
        f"does not fit {wanted}: 1 violation",
        f"  the value: expected {wanted}, found int [container]",
    ]

    @checked
    def use(state: hint | None) -> None: ...

    with pytest.raises(StateTypeError) as caught:
        use("x")
    assert str(caught.value).splitlines()[1:] == [
        f"  state: expected {wanted} | None, found str [container]",
        "signature:",
        f"  -> state: {wanted} | None",
    ]
