"""Modules that transforms take and return as trees, and what says nothing under a form."""

import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, BFloat16, Float

from typedstate import Abstract, Cast, Only, Stacked, TypedState, explain


class Net(nnx.Module):
    def __init__(self) -> None:
        self.w = nnx.Param(jnp.ones((2, 4)))


class NetState(TypedState):
    w: nnx.Param[Float[Array, "a b"]]


def loss(net: Net) -> Any:
    return (net.w[...] ** 2).sum()


def test_abstract_modules() -> None:
    abstract = nnx.eval_shape(Net)
    assert explain(abstract, Annotated[Net, Abstract[NetState]])
    if hasattr(nnx, "as_abstract"):
        assert explain(nnx.as_abstract(abstract), Annotated[Net, Abstract[NetState]])


def test_a_gradient_that_is_a_module() -> None:
    try:
        gradient = nnx.grad(loss, graph=False)(Net())  # type: ignore[call-arg]
    except TypeError:
        pytest.skip("this Flax has no tree mode")
    hint = Only[NetState, nnx.Param]
    assert explain(gradient, Annotated[Net, hint])
    assert explain(jax.tree.map(lambda leaf: leaf * 2, gradient), Annotated[Net, hint])
    assert str(explain(gradient, hint)).splitlines()[1] == (
        "  the value: expected a state Only[NetState, Param], found Net (a module: "
        "nnx.state(module) is its state, "
        "Annotated[Net, Only[NetState, Param]] takes it as it is) [container]"
    )


@dataclasses.dataclass
class Note:
    x: Float[Array, "n"]
    text: Any


class Noted(TypedState):
    note: nnx.Variable[Note]


@pytest.mark.parametrize(
    ("hint", "x"),
    [
        (Noted, jnp.ones(3)),
        (Stacked[Noted, "layers"], jnp.ones((2, 3))),
        (Cast[Noted, BFloat16], jnp.ones(3, jnp.bfloat16)),
        (Abstract[Noted], jax.ShapeDtypeStruct((3,), jnp.float32)),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_field_of_a_record_that_may_hold_anything(hint: Any, x: Any) -> None:
    def state(value: Any) -> Any:
        return nnx.State({"note": nnx.Variable(value)})

    report = explain(state(Note(x, "any text")), hint)
    assert report, str(report)
    assert not explain(state(Note("text", "any text")), hint)  # type: ignore[arg-type]
