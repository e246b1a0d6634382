"""A validator that reads values is unknown where there are none: under a trace, of `Abstract`."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.vale import Is
from flax import nnx
from jaxtyping import Array, Float

from typedstate import Abstract, StateTypeError, TypedState, checked, explain

POSITIVE = Is[lambda a: bool((a > 0).all())]


class Weighted(TypedState):
    w: Annotated[nnx.Param[Float[Array, "n"]], POSITIVE]


class Flat(TypedState):
    w: Annotated[nnx.Param[Float[Array, "..."]], Is[lambda a: a.ndim == 1]]


class Paired(TypedState):
    w: Annotated[nnx.Variable[tuple[Array, Array]], Is[lambda pair: bool(pair[0] == pair[1])]]


def state(w: Any) -> Any:
    return nnx.State({"w": nnx.Param(w)})


def under_a_trace(tree: Any, hint: Any) -> bool:
    answers: list[bool] = []

    def ask(inner: Any) -> Any:
        answers.append(bool(explain(inner, hint)))
        return inner

    jax.eval_shape(ask, tree)
    return answers[0]


@checked
def same(tree: Weighted) -> Weighted:
    return tree


GOOD, BAD = state(jnp.ones(3)), state(-jnp.ones(3))


@pytest.mark.parametrize("tree", [GOOD, BAD], ids=["good", "bad"])
def test_values_are_unknown_under_a_trace(tree: Any) -> None:
    jax.jit(same)(tree)
    jax.eval_shape(same, tree)
    jax.vmap(same)(jax.tree.map(lambda leaf: leaf[None], tree))


def test_a_gradient_outside_of_jit_has_values() -> None:
    gradient = jax.grad(lambda tree: same(tree)["w"].sum())
    gradient(GOOD)
    with pytest.raises(StateTypeError):
        gradient(BAD)


def test_what_is_unknown_is_reported() -> None:
    def report(tree: Any) -> Any:
        found.append(explain(tree, Weighted))
        return tree

    found: list[Any] = []
    jax.eval_shape(report, GOOD)
    assert bool(found[0])
    (unknown,) = found[0].unknown
    assert unknown.path == "w"
    assert unknown.text.endswith("reads values, and here are none")
    abstract = explain(jax.eval_shape(lambda: GOOD), Abstract[Weighted])
    assert abstract
    assert [item.path for item in abstract.unknown] == ["w"]


def test_values_decide_outside() -> None:
    for _ in range(2):
        same(GOOD)
        with pytest.raises(StateTypeError):
            same(BAD)


def test_what_reads_shapes_only_decides_everywhere() -> None:
    flat, other = state(jnp.ones(3)), state(jnp.ones((3, 1)))
    for tree, fits in ((flat, True), (other, False)):
        assert bool(explain(tree, Flat)) is fits
        assert bool(explain(jax.eval_shape(lambda it: it, tree), Abstract[Flat])) is fits
        assert under_a_trace(tree, Flat) is fits


def test_a_validator_that_raises_for_another_reason_refuses() -> None:
    class Wrong(TypedState):
        w: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda a: a.nothing]]

    assert under_a_trace(GOOD, Wrong) is False
    assert not explain(GOOD, Wrong)


def test_within_a_container_and_as_an_argument() -> None:
    def pair(one: float, two: float) -> Any:
        return nnx.State({"w": nnx.Variable((jnp.float32(one), jnp.float32(two)))})

    assert explain(pair(1, 1), Paired)
    assert not explain(pair(1, 2), Paired)
    assert under_a_trace(pair(1, 2), Paired) is True

    @checked
    def takes(x: Annotated[Float[Array, "n"], POSITIVE]) -> None: ...

    jax.eval_shape(takes, jnp.ones(3))
    with pytest.raises(StateTypeError):
        takes(-jnp.ones(3))


def test_numpy_of_a_tracer_is_a_read_too() -> None:
    class Read(TypedState):
        w: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda a: bool(np.asarray(a).sum() > 0)]]

    assert under_a_trace(GOOD, Read) is True
