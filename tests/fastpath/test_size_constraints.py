"""States of a known structure in other sizes: size constraints and the walk give one verdict."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.vale import Is
from flax import nnx
from hypothesis import given, strategies as st
from jaxtyping import Array, Float

from tests.zoo import LinearState, state
from typedstate import Bind, Same, StateMap, StateOf, TypedState, checked, explain
from typedstate._annotations.spec_of import spec_of
from typedstate._compat import variables
from typedstate._fastpath.judge import Known
from typedstate._validation.walk import Walk

EVEN = Is[lambda array: array.shape[0] % 2 == 0]


class LinkedState(TypedState):
    layers: Bind[StateMap[int, Bind[LinearState, "din=d dout=4*d"]], "len=n"]
    more: nnx.Param[Float[Array, "d n"]]


class AloneState(TypedState):
    layers: StateMap[int, LinearState]


class SolvedState(TypedState):
    kernel: nnx.Param[Float[Array, "2*d d+e"]]
    bias: nnx.Param[Float[Array, "e"]]


class FixedState(TypedState):
    kernel: nnx.Param[Float[Array, "4 d"]]
    other: nnx.Param[Float[Array, "#d _"]]
    run: nnx.Param[Float[Array, "*b d"]]


class EitherState(TypedState):
    first: nnx.Param[Float[Array, "a b"]] | nnx.Param[Float[Array, "b a"]]
    second: nnx.Param[Float[Array, "a"]]


class Holder(NamedTuple):
    kernel: Float[Array, "4 n"]
    bias: Float[Array, "n"]


class GuardedState(TypedState):
    even: Annotated[nnx.Param[Float[Array, "n"]], EVEN]
    each: StateOf[nnx.Param[Float[Array, "?k n"]]]


def ones(*shape: int) -> Any:
    return nnx.Param(jnp.asarray(np.ones(shape, np.float32)))


def linear(din: int, dout: int, bias: int) -> dict[str, Any]:
    return {"kernel": ones(din, dout), "bias": ones(bias)}


def made(hint: Any, sizes: list[int]) -> Any:
    a, b, c, d, e, f = sizes
    if hint is LinkedState:
        return state({"layers": {0: linear(a, b, c), 1: linear(d, e, f)}, "more": ones(a, 2)})
    if hint is AloneState:
        return state({"layers": {0: linear(a, b, c), 1: linear(d, e, f)}})
    if hint is SolvedState:
        return state({"kernel": ones(a, b), "bias": ones(c)})
    if hint is FixedState:
        return state({"kernel": ones(a, b), "other": ones(c, d), "run": ones(e, f)})
    if hint is EitherState:
        return state({"first": ones(a, b), "second": ones(c)})
    return state({"even": ones(a), "each": {"x": ones(b, c), "y": {"z": ones(d, e)}}})


RIGHT: dict[Any, list[list[int]]] = {
    LinkedState: [[1, 4, 4, 1, 4, 4], [2, 8, 8, 2, 8, 8], [3, 12, 12, 3, 12, 12]],
    AloneState: [[2, 3, 3, 2, 3, 3], [2, 3, 3, 4, 5, 5], [1, 2, 2, 3, 2, 2]],
    SolvedState: [[4, 5, 3, 1, 1, 1], [2, 2, 1, 1, 1, 1]],
    FixedState: [[4, 3, 1, 2, 5, 3], [4, 3, 3, 2, 5, 3], [4, 1, 1, 2, 5, 1]],
    EitherState: [[2, 3, 2, 1, 1, 1], [2, 3, 3, 1, 1, 1], [2, 2, 2, 1, 1, 1]],
    GuardedState: [[2, 5, 2, 6, 2, 1], [4, 4, 4, 4, 4, 4]],
}


@pytest.mark.parametrize("hint", RIGHT, ids=lambda hint: hint.__name__)
@given(data=st.data())
def test_a_law_allows_what_the_explainer_accepts(hint: Any, data: st.DataObject) -> None:
    first = data.draw(st.sampled_from(RIGHT[hint]))
    learned = made(hint, first)
    walk = Walk()
    walk.visit(learned, spec_of(hint))
    report = walk.report("")
    assert report, report
    known = Known()
    assert known.learn(learned, walk, report) is not None
    size = st.integers(1, 12)
    for _ in range(8):
        near = data.draw(st.sampled_from(RIGHT[hint]))
        sizes = [data.draw(st.sampled_from([near[i]] * 6 + [data.draw(size)])) for i in range(6)]
        value = made(hint, sizes)
        if known.accepts(value) is not None:
            assert explain(value, hint)


@pytest.mark.parametrize(
    ("hint", "first", "other"),
    [
        (LinkedState, [1, 4, 4, 1, 4, 4], [3, 12, 12, 3, 12, 12]),
        (AloneState, [2, 3, 3, 2, 3, 3], [5, 7, 7, 5, 7, 7]),
        (GuardedState, [2, 5, 2, 6, 2, 1], [4, 7, 4, 9, 4, 1]),
    ],
)
def test_other_sizes_need_no_walk(hint: Any, first: list[int], other: list[int]) -> None:
    assert isinstance(made(hint, first), hint)
    assert hint.__dict__["__typedstate_known__"].accepts(made(hint, other)) is not None


def test_trees_that_must_be_alike_are_walked() -> None:
    walk = Walk()
    value = made(AloneState, [2, 3, 3, 2, 3, 3])
    walk.visit(value, spec_of(Same[AloneState, "T"]))
    known = Known()
    assert known.learn(value, walk, walk.report("")) is not None
    assert known.accepts(made(AloneState, [5, 7, 7, 5, 7, 7])) is None


def test_tracers_have_sizes_too() -> None:
    seen: list[bool] = []

    class Traced(TypedState):
        kernel: nnx.Param[Float[Array, "n n"]]

    @jax.jit
    def run(x: jax.Array) -> jax.Array:
        seen.append(isinstance(state({"kernel": nnx.Param(x)}), Traced))
        return x

    for shape in ((2, 2), (3, 3), (3, 4), (5, 5)):
        run(jnp.ones(shape))
    assert seen == [True, True, False, True]


def test_the_arguments_of_a_call_keep_their_sizes() -> None:
    @checked
    def each(*arrays: Float[Array, "4 n"]) -> None: ...

    @checked
    def one(value: Holder) -> None: ...

    @checked
    def keyword(**arrays: Float[Array, "4 n"]) -> None: ...

    for _ in range(2):
        each(jnp.ones((4, 3)))
        keyword(a=jnp.ones((4, 3)))
        one(Holder(jnp.ones((4, 3)), jnp.ones(3)))
        one(Holder(jnp.ones((4, 5)), jnp.ones(5)))
        with pytest.raises(TypeError):
            each(jnp.ones((5, 3)))
        with pytest.raises(TypeError):
            keyword(a=jnp.ones((5, 3)))
        with pytest.raises(TypeError):
            one(Holder(jnp.ones((4, 3)), jnp.ones(4)))


def test_a_call_with_one_state_takes_other_sizes() -> None:
    @checked
    def run(layer: LinearState) -> int:
        return variables.raw_value(layer["kernel"]).shape[0]

    for din, dout in ((2, 3), (4, 5), (2, 3), (6, 6)):
        assert run(state(linear(din, dout, dout))) == din
    with pytest.raises(TypeError, match="dout"):
        run(state(linear(7, 8, 9)))
