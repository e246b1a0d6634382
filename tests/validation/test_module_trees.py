"""A module where its state is wanted: in Flax's tree mode, ``nnx.grad`` gives one."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests.zoo import LinearState
from typedstate import Bind, Only, StateTypeError, TypedState, checked, explain
from typedstate.layers import BatchNormState

graph_mode: Any = getattr(nnx, "set_graph_mode", None)


class Model(nnx.Module):
    def __init__(self) -> None:
        self.up = nnx.Linear(2, 3, rngs=nnx.Rngs(0))


class NormedModel(Model):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))


class ModelState(TypedState):
    up: Bind[LinearState, "din=d dout=e"]


class NormedState(TypedState):
    up: Bind[LinearState, "din=d dout=e"]
    norm: Bind[BatchNormState, "features=e"]


def line(value: Any, hint: Any) -> str:
    (violation,) = explain(value, hint).violations
    return str(violation)


def test_the_hint_that_takes_a_module_is_named() -> None:
    assert line(Model(), Only[ModelState, nnx.Param]) == (
        "the value: expected a state Only[ModelState, Param], found Model (a module: "
        "nnx.state(module) is its state, Annotated[Model, Only[ModelState, Param]] takes it as it "
        "is) [container]"
    )
    # with the statistics that the filter leaves out, as the module has them
    assert "Annotated[NormedModel, NormedState] takes it as it is" in line(
        NormedModel(), Only[NormedState, nnx.Param]
    )


@pytest.mark.skipif(graph_mode is None, reason="this Flax has no tree mode")
def test_gradients_of_a_module_tree() -> None:
    @checked
    def update(grads: Only[ModelState, nnx.Param]) -> None: ...

    @checked
    def update_tree(grads: Annotated[Model, Only[ModelState, nnx.Param]]) -> None: ...

    def loss(model: Model) -> Any:
        return model.up(jnp.ones(2)).sum()

    with graph_mode(False):
        grads: Any = nnx.grad(loss)(Model())
        assert isinstance(grads, Model)
        for _ in range(3):
            update_tree(grads)
            with pytest.raises(StateTypeError) as caught:
                update(grads)
            assert str(caught.value) == (
                f"the arguments of {update.__qualname__}() do not fit: 1 violation\n"
                "  grads: expected a state Only[ModelState, Param], found Model (a module tree: "
                "Annotated[Model, Only[ModelState, Param]] takes it) [container]\n"
                "signature:\n"
                "  -> grads: Only[ModelState, Param]"
            )
        assert "(a module tree: Annotated[NormedModel, NormedState] takes it)" in line(
            NormedModel(), Only[NormedState, nnx.Param]
        )
    graph: Any = nnx.grad(loss)(Model())
    update(graph)
