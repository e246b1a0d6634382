"""Calls of several arguments in sizes not seen before: generated code and walk agree."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jaxtyping import Array, Float, Int

from tests.zoo import LinearState, state
from typedstate import Bind, Same, Scoped, StateMap, StateTypeError, TypedState, checked
from typedstate._compat import variables
from typedstate._validation.walk import Walk
from typedstate.boundaries import signature


class StackState(TypedState):
    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    head: Bind[LinearState, "din=d dout=2*classes"]


class Batch(NamedTuple):
    x: Float[Array, "batch din"]
    y: Int[np.ndarray, "batch"]


def array(*shape: int) -> jax.Array:
    return jnp.asarray(np.ones(shape, np.float32))


def linear(din: int, dout: int, bias: int | None = None) -> Any:
    leaves = {"kernel": nnx.Param(array(din, dout))}
    if bias is not None:
        leaves["bias"] = nnx.Param(array(bias))
    return state(leaves)


def stack(d: int, other: int, dout: int) -> Any:
    layers = {0: dict(linear(d, d, d)), 1: dict(linear(other, other, other))}
    return state({"layers": layers, "head": dict(linear(d, dout))})


# -- Signatures; each returns what it is told to ----------------------------------------------

OUT: list[Any] = [None]


@checked
def predict(state: LinearState, x: Float[Array, "batch din"]) -> Float[Array, "batch dout"]:
    return OUT[0]


@checked
def run(state: StackState, x: Float[Array, "*batch d"]) -> Float[Array, "*batch classes"]:
    return OUT[0]


@checked
def update(params: LinearState, grads: LinearState, *, lr: float = 1.0) -> LinearState:
    return OUT[0]


@checked
def alike(a: Same[LinearState, "T"], b: Same[LinearState, "T"]) -> Same[LinearState, "T"]:
    return OUT[0]


@checked
def apart(student: LinearState, teacher: Scoped[LinearState, "teacher"]) -> Float[Array, "dout"]:
    return OUT[0]


@checked
def broad(x: Float[Array, "#n d"], y: Float[Array, "#n d"]) -> Float[Array, "n d"]:
    return OUT[0]


@checked
def widened(x: Float[Array, "#*n d"], y: Float[Array, "*n d"]) -> Float[Array, "#n d"]:
    return OUT[0]


@checked
def solved(x: Float[Array, "2*n n+m"], y: Float[Array, "m"]) -> Float[Array, "n"]:
    return OUT[0]


@checked
def early(x: Float[Array, "2*n"]) -> Float[Array, "n n+1"]:
    return OUT[0]


@checked
def divided(x: Float[Array, "n"], y: Float[Array, "n//d"]) -> Float[Array, "d n**2"]:
    return OUT[0]


@checked
def either(
    x: Float[Array, "a b"] | Float[Array, "b a"], y: Float[Array, "a"] | None = None
) -> Float[Array, "b"] | None:
    return OUT[0]


@checked
def numpy(x: Float[np.ndarray, "n 3"], y: Int[np.ndarray, "n"]) -> Float[Array, "n"]:
    return OUT[0]


@checked
def batched(state: LinearState, batch: Batch) -> tuple[Float[Array, "batch"], Batch]:
    return OUT[0]


@checked
def variadic(*xs: Float[Array, "n _"], **named: Float[Array, "n"]) -> Float[Array, "n"]:
    return OUT[0]


@checked
def loose(x: Float[Array, "..."], y: Float[Array, "*s"]) -> Float[Array, "*s 1"]:
    return OUT[0]


def ints(*shape: int) -> Any:
    return np.ones(shape, np.int32)


def floats(*shape: int) -> Any:
    return np.ones(shape, np.float32)


Made = tuple[tuple[Any, ...], dict[str, Any], Any]
SIGNATURES: dict[Any, Callable[..., Made]] = {
    predict: lambda a, b, c, d, e, f: ((linear(a, b, b), array(c, d)), {}, array(e, f)),
    run: lambda a, b, c, d, e, f: ((stack(a, b, c), array(3, d, a)), {}, array(3, e, f)),
    update: lambda a, b, c, d, e, f: ((linear(a, b, b), linear(c, d)), {}, linear(e, f, f)),
    alike: lambda a, b, c, d, e, f: ((linear(a, b, b), linear(c, d, d)), {}, linear(e, f, f)),
    apart: lambda a, b, c, d, e, f: ((linear(a, b, b), linear(c, d, e)), {}, array(f)),
    broad: lambda a, b, c, d, e, f: ((array(a, b), array(c, d)), {}, array(e, f)),
    widened: lambda a, b, c, d, e, f: ((array(a, b), array(2, c, d)), {}, array(e, f)),
    solved: lambda a, b, c, d, e, f: ((array(a, b), array(c)), {}, array(d)),
    early: lambda a, b, c, d, e, f: ((array(a),), {}, array(b, c)),
    divided: lambda a, b, c, d, e, f: ((array(a), array(b)), {}, array(c, d)),
    either: lambda a, b, c, d, e, f: ((array(a, b), array(c)), {}, array(d)),
    numpy: lambda a, b, c, d, e, f: ((floats(a, b), ints(c)), {}, array(d)),
    batched: lambda a, b, c, d, e, f: (
        (linear(a, b, b), Batch(array(c, d), ints(c))),
        {},
        (array(e), Batch(array(c, d), ints(f))),
    ),
    variadic: lambda a, b, c, d, e, f: ((array(a, b), array(c, 2)), {"k": array(d)}, array(e)),
    loose: lambda a, b, c, d, e, f: ((array(a, b), array(c, d)), {}, array(e, f, 1)),
}
RIGHT: dict[Any, list[list[int]]] = {
    predict: [[2, 3, 4, 2, 4, 3], [1, 1, 1, 1, 1, 1]],
    run: [[2, 2, 6, 5, 5, 3], [3, 3, 2, 1, 1, 1]],
    update: [[2, 3, 2, 3, 2, 3], [3, 3, 3, 3, 3, 3]],
    alike: [[2, 3, 2, 3, 2, 3], [3, 3, 3, 3, 3, 3]],
    apart: [[2, 3, 4, 5, 5, 3], [1, 1, 1, 1, 1, 1]],
    broad: [[2, 3, 2, 3, 2, 3], [1, 3, 4, 3, 4, 3], [1, 1, 1, 1, 1, 1], [4, 3, 1, 3, 4, 3]],
    widened: [[3, 4, 3, 4, 1, 4], [1, 4, 3, 4, 6, 4]],
    solved: [[4, 5, 3, 2, 1, 1], [2, 2, 1, 1, 1, 1]],
    early: [[4, 2, 3, 1, 1, 1], [2, 1, 2, 1, 1, 1]],
    divided: [[4, 2, 2, 16, 1, 1], [1, 1, 1, 1, 1, 1], [3, 1, 2, 9, 1, 1]],
    either: [[2, 3, 2, 3, 1, 1], [2, 3, 3, 2, 1, 1], [2, 2, 2, 2, 1, 1]],
    numpy: [[2, 3, 2, 2, 1, 1], [4, 3, 4, 4, 1, 1]],
    batched: [[2, 3, 4, 2, 4, 4], [1, 1, 1, 1, 1, 1]],
    variadic: [[2, 3, 2, 2, 2, 1], [3, 3, 3, 3, 3, 1]],
    loose: [[2, 3, 4, 5, 4, 5], [1, 1, 1, 1, 1, 1]],
}


def owner_of(function: Any) -> signature.Boundary:
    return function.__globals__["_enter"].__self__


def roots(name: str, kind: Any, value: Any) -> Iterator[tuple[str, Any]]:
    if kind is inspect.Parameter.VAR_POSITIONAL:
        yield from ((f"{name}[{index}]", item) for index, item in enumerate(value))
    elif kind is inspect.Parameter.VAR_KEYWORD:
        yield from ((f"{name}[{key!r}]", item) for key, item in value.items())
    else:
        yield name, value


def verdict(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> str:
    """What the walk says of one call on its own."""
    owner, walk = owner_of(function), Walk()
    given = owner.signature.bind(*args, **kwargs).arguments
    for item in owner.ours:
        if item.name in given:
            for root, value in roots(item.name, item.kind, given[item.name]):
                assert item.spec is not None
                walk.visit(value, item.spec, root)
    if not (report := walk.report(owner.name)):
        return str(report)
    assert owner.result is not None
    assert owner.result.spec is not None
    later = walk.after()
    later.visit(out, owner.result.spec, "return")
    report = later.report(owner.name)
    return "" if report else str(report)


def outcome(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> str:
    OUT[0] = out
    try:
        function(*args, **kwargs)
    except StateTypeError as error:
        return str(error.report)
    return ""


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__name__)
@settings(max_examples=30)
@pytest.mark.both_policies
@given(data=st.data())
def test_every_call_gets_the_verdict_of_the_explainer(function: Any, data: st.DataObject) -> None:
    size = st.integers(1, 6)
    for _ in range(8):
        near = data.draw(st.sampled_from(RIGHT[function]))
        sizes = [data.draw(st.sampled_from([near[i]] * 5 + [data.draw(size)])) for i in range(6)]
        made = SIGNATURES[function](*sizes)
        assert outcome(function, *made) == verdict(function, *made)


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The roots that the walk walked since."""
    found: list[str] = []
    visit = Walk.visit

    def counted(self: Walk, value: object, spec: Any, root: str = "", hint: Any = None) -> None:
        found.append(root)
        visit(self, value, spec, root, hint)

    monkeypatch.setattr(Walk, "visit", counted)
    return found


def sizes_of(function: Any, *others: list[int]) -> list[list[int]]:
    return [RIGHT[function][0], *others]


@pytest.mark.parametrize(
    ("function", "first", "others"),
    [
        (predict, [2, 3, 4, 2, 4, 3], [[2, 3, 7, 2, 7, 3], [9, 8, 7, 9, 7, 8]]),
        (run, [2, 2, 6, 5, 5, 3], [[2, 2, 6, 9, 9, 3], [4, 4, 8, 3, 3, 4]]),
        (update, [2, 3, 2, 3, 2, 3], [[4, 5, 4, 5, 4, 5]]),
        (apart, [2, 3, 4, 5, 5, 3], [[7, 8, 9, 6, 6, 8]]),
        (broad, [2, 3, 2, 3, 2, 3], [[5, 3, 5, 3, 5, 3], [7, 4, 1, 4, 7, 4]]),
        (early, [4, 2, 3, 1, 1, 1], [[8, 4, 5, 1, 1, 1]]),
        (numpy, [2, 3, 2, 2, 1, 1], [[5, 3, 5, 5, 1, 1]]),
        (batched, [2, 3, 4, 2, 4, 4], [[2, 3, 9, 2, 9, 9]]),
        (variadic, [2, 3, 2, 2, 2, 1], [[5, 4, 5, 5, 5, 1]]),
        (loose, [2, 3, 4, 5, 4, 5], [[6, 7, 8, 9, 8, 9]]),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_other_sizes_of_a_call_need_no_walk(
    function: Any, first: list[int], others: list[list[int]], walks: list[str]
) -> None:
    fresh = checked(inspect.unwrap(function))
    assert outcome(fresh, *SIGNATURES[function](*first)) == ""
    walks.clear()
    for sizes in others:
        assert outcome(fresh, *SIGNATURES[function](*sizes)) == ""
    assert walks == []


def test_a_generator_of_batches_needs_one_walk(walks: list[str]) -> None:
    @checked
    def batches(state: LinearState, data: list[Any]) -> Iterator[Float[Array, "batch dout"]]:
        yield from data

    for size in range(1, 5):
        assert len(list(batches(linear(2, size), [array(3, size), array(9, size)]))) == 2
    assert walks == ["state", "yield"]
    with pytest.raises(StateTypeError, match=r"dout is 6, but dout=7 from state\.kernel, axis 1"):
        list(batches(linear(2, 7), [array(3, 7), array(3, 6)]))


def test_sizes_not_seen_before_are_known_in_the_body() -> None:
    seen: list[bool] = []

    @checked
    def body(state: LinearState, x: Float[Array, "*batch din"]) -> None:
        seen.append(isinstance(x[..., 0], Float[Array, "*batch"]))
        seen.append(isinstance(x[..., 0], Float[Array, "*batch dout"]))
        seen.append(
            isinstance(
                jnp.ones(variables.raw_value(state["kernel"]).shape[1]), Float[Array, "dout"]
            )
        )

    for batch, dout in ((2, 3), (4, 5), (6, 7)):
        body(linear(2, dout), array(batch, 2))
    assert seen == [True, False, True] * 3


def test_a_refused_result_of_a_call_like_another_says_where_its_sizes_came_from() -> None:
    @checked
    def use(state: LinearState, x: Float[Array, "batch din"]) -> Float[Array, "batch dout"]:
        return OUT[0]

    OUT[0] = array(4, 3)
    use(linear(2, 3), array(4, 2))
    OUT[0] = array(6, 6)
    with pytest.raises(StateTypeError) as error:
        use(linear(2, 7), array(5, 2))
    assert str(error.value).split("\n") == [
        f"the return value of {use.__qualname__}() does not fit: 2 violations",
        "  return: batch is 6, but batch=5 from x, axis 0 [dim]",
        "  return: dout is 6, but dout=7 from state.kernel, axis 1 [dim]",
        "  dims: din=2 dout=7 batch=5",
        "signature:",
        "     state: LinearState",
        '     x: Float[Array, "batch din"]',
        '  -> return: Float[Array, "batch dout"]',
    ]


@pytest.mark.parametrize("hint", [Literal["sum", "mean"], Literal[1, True]])
def test_literals_are_asked_again(hint: Any, walks: list[str]) -> None:
    @checked
    def use(pair: tuple[Float[Array, "n"], hint]) -> None: ...  # type: ignore[valid-type]

    values = ["sum", "mean"] if hint == Literal["sum", "mean"] else [1, True, 1]
    for value in values:
        use((array(2), value))
    assert len(walks) <= 2
    for wrong in ("max", 2, 1.0, None):
        with pytest.raises(StateTypeError):
            use((array(2), wrong))
