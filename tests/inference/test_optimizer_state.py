"""The state of an optimizer as a hint over its parameters' schema, without a second schema."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from tests.zoo.published import GPT, MLP
from typedstate import (
    Abstract,
    Bind,
    Only,
    SchemaError,
    TypedState,
    explain,
    infer,
    layers,
    optimizer_state,
    to_source,
)


class Net(TypedState):
    up: Bind[layers.LinearState, "din=d dout=hidden"]
    down: Bind[layers.LinearState, "din=hidden dout=d"]
    dropout: layers.DropoutState


PARAMS: Any = Only[Net, nnx.Param]


def _labels(params: Any) -> Any:
    return jax.tree.map(lambda leaf: "wide" if jnp.ndim(leaf) > 1 else "flat", params)


def _wide(params: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.ndim(leaf) > 1, params)


CASES = {
    "AdamState[{p}]": optax.adam(1e-3),
    "AdamState[{p}] ": optax.adamw(optax.linear_schedule(1.0, 0.0, 10)),
    "SgdState[{p}]": optax.sgd(0.1, momentum=0.9),
    "None": optax.sgd(0.1),
    "LionState[{p}]": optax.lion(1e-3),
    "RmspropState[{p}]": optax.rmsprop(1e-3),
    "AdafactorState[{p}]": optax.adafactor(1e-3),
    "Entries[None, AdamState[{p}]]": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)),
    "Injected[AdamState[{p}]]": optax.inject_hyperparams(optax.adamw)(1e-3),
    "ApplyIfFinite[AdamState[{p}]]": optax.apply_if_finite(optax.adam(1e-3), 3),
    "MultiSteps[AdamState[{p}], {p}]": optax.MultiSteps(
        optax.adam(1e-3), 4
    ).gradient_transformation(),
    "Masked[AdamState[Like[{p}, OptVariable | MaskedNode]]]": optax.masked(optax.adam(1e-3), _wide),
    "MultiTransform[SgdState[Like[{p}, OptVariable | MaskedNode]]"
    " | AdamState[Like[{p}, OptVariable | MaskedNode]]]": optax.partition(
        {"flat": optax.sgd(0.1, momentum=0.9), "wide": optax.adam(1e-3)}, _labels
    ),
}


@pytest.mark.parametrize(("name", "tx"), CASES.items(), ids=lambda case: str(case)[:30])
def test_a_transformation_is_said_by_the_catalogue(name: str, tx: Any) -> None:
    hint = optimizer_state(tx, PARAMS)
    inner = name.strip().replace("{p}", "Only[Net, Param]")
    assert set(hint.__name__) == set(f"OptimizerState[{inner}]")
    assert len(hint.__name__) == len(f"OptimizerState[{inner}]")
    model = MLP(4, 6, nnx.Rngs(0))
    try:
        optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    except TypeError as error:
        masks = "Masked[" in name or "MultiTransform[" in name
        if not (masks and "not ellipsis" in str(error)):
            raise
        pytest.skip("Flax 0.11 reads masked parameters as arrays, and fails")
    state = nnx.state(optimizer)
    assert explain(state, hint)
    assert explain(state, infer(optimizer, model=model))
    assert explain(state, infer(optimizer))


def test_the_schema_of_the_parameters_is_not_written_twice() -> None:
    model = MLP(4, 6, nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    source = to_source(infer(optimizer, model=model))
    state = "AdamState[Only[MLPState, nnx.Param]]"
    with_model = "model" in nnx.state(optimizer)  # before Flax 0.11
    hint = (
        f"ModelAndOptimizerState[MLPState, {state}]" if with_model else f"OptimizerState[{state}]"
    )
    assert source.endswith(f"\n\n\nModelOptimizerState = {hint}\n")
    assert source.count("class ") == 1


def test_beside_its_model_an_optimizer_is_over_that() -> None:
    class Train(nnx.Module):
        def __init__(self) -> None:
            self.model = MLP(4, 6, nnx.Rngs(0))
            self.optimizer = nnx.Optimizer(self.model, optax.adam(1e-3), wrt=nnx.Param)

    schema = infer(Train())
    assert explain(nnx.state(Train()), schema)
    hint = 'optimizer: OptimizerState[AdamState[Only[Bind[MLPState, "d"], nnx.Param]]]'
    assert hint in to_source(schema)


def test_a_state_that_the_catalogue_does_not_have_is_a_class() -> None:
    tx = optax.named_chain(("clip", optax.clip(1.0)), ("adam", optax.scale_by_adam()))
    hint = optimizer_state(tx, PARAMS)
    assert "class NamedChainState(TypedState):\n    adam: ScaleByAdamState[" in to_source(hint)
    optimizer = nnx.Optimizer(MLP(4, 6, nnx.Rngs(0)), tx, wrt=nnx.Param)
    assert explain(nnx.state(optimizer), hint)


@pytest.mark.parametrize("name", ["update", "class", "__adam", "1", "a b"])
def test_a_state_under_a_name_that_is_no_attribute_has_an_alias(name: str) -> None:
    tx = optax.named_chain((name, optax.scale_by_adam()), ("trace", optax.trace(0.9)))
    optimizer = nnx.Optimizer(MLP(4, 6, nnx.Rngs(0)), tx, wrt=nnx.Param)
    for hint in (optimizer_state(tx, PARAMS), infer(optimizer)):
        assert explain(nnx.state(optimizer), hint)
        assert f'Alias("{name}")' in to_source(hint)


def test_what_is_no_transformation_is_refused() -> None:
    with pytest.raises(SchemaError, match="takes an optax transformation, not function"):
        optimizer_state(optax.adam, PARAMS)


def _trained(layers: int, heads: int, d: int) -> Any:
    """The abstract state of an optimizer, without its model."""

    def made() -> Any:
        model = GPT(layers=layers, heads=heads, d=d, rngs=nnx.Rngs(0))
        return nnx.Optimizer(model, optax.adamw(1e-3), wrt=nnx.Param)

    return nnx.state(nnx.eval_shape(made))


def test_blocks_are_no_heads_however_many_both_are() -> None:
    hint: Any = infer(_trained(2, 2, 8), _trained(3, 3, 12))
    assert (report := explain(_trained(4, 5, 20), Abstract[hint])), report
