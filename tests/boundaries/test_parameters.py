"""Every kind of parameter, and schemas within containers and records."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.boundaries.helpers import SquareState, first_line, linear, linear_state, ones, refused
from tests.zoo import LinearState, MlpState, state
from typedstate import checked


def test_every_kind_of_parameter() -> None:
    @checked
    def use(
        a: LinearState, /, b: LinearState, c: LinearState | None = None, *, d: LinearState
    ) -> tuple[Any, ...]:
        return a, b, c, d

    s = linear_state()
    bad = state({})
    assert use(s, s, d=s) == (s, s, None, s)
    assert use(s, b=s, c=s, d=s) == (s, s, s, s)
    for position, args in enumerate([(bad, s, s, s), (s, bad, s, s), (s, s, bad, s)]):
        message = refused(lambda a, b, c, d: use(a, b, c, d=d), *args)
        assert first_line(message).startswith(f"{'abc'[position]}.kernel: missing")
    assert first_line(refused(use, s, s, d=bad)).startswith("d.kernel: missing")
    with pytest.raises(TypeError, match=r"use\(\) missing 1 required keyword-only"):
        use(s, s)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional-only"):
        use(a=s, b=s, d=s)  # type: ignore[call-arg]


def test_a_default_is_checked_only_where_it_is_passed() -> None:
    marker: Any = object()

    @checked
    def use(params: LinearState = marker, n: int = "many", *, x: Float[Array, "n"] = 0) -> Any:  # type: ignore[assignment]
        return params

    assert use() is marker
    refused(use, n="many")
    s = linear_state()
    assert use(s, 3, x=ones(4)) is s
    refused(use, n="few")
    refused(use, object())
    refused(use, s, x=1)


def test_variadic_parameters() -> None:
    @checked
    def use(*states: LinearState, **more: LinearState) -> int:
        return len(states) + len(more)

    s = linear_state()
    assert use() == 0
    assert use(s, s, a=s) == 3
    assert use(s, s, a=s) == 3
    assert first_line(refused(use, s, linear_state(2, 4))) == (
        "states[1].kernel: dout is 4, but dout=3 from states[0].kernel, axis 1 [dim]"
    )
    assert first_line(refused(use, s, a=s, b=3)).startswith("more['b']: expected a state")
    use(linear_state(5, 6), a=linear_state(5, 6))

    @checked
    def numbers(*args: int, **kwargs: str) -> int:
        return len(args)

    assert numbers(1, 2, a="b") == 2
    refused(numbers, 1, "2")
    refused(numbers, 1, a=2)


def test_variadic_modules_are_read_each_time() -> None:
    @checked
    def use(*models: Annotated[nnx.Linear, SquareState]) -> int:
        return len(models)

    square = linear(2, 2)
    assert use(square, square) == 2
    assert use(square) == 1
    refused(use, linear(2, 3))
    square.kernel = nnx.Param(ones((2, 5)))
    refused(use, square)


@pytest.mark.parametrize(
    ("hint", "good", "bad", "path"),
    [
        (list[LinearState], lambda s: [s, s], lambda s: [s, state({})], "value[1].kernel"),
        (list[LinearState], lambda s: [], lambda s: (s,), "value"),
        (tuple[LinearState, ...], lambda s: (s, s), lambda s: (s, 1), "value[1]"),
        (tuple[LinearState, int], lambda s: (s, 1), lambda s: (s, "1"), "value[1]"),
        (tuple[LinearState, int], lambda s: (s, 1), lambda s: (s,), "value"),
        (dict[str, LinearState], lambda s: {"a": s}, lambda s: {"a": s, "b": 1}, "value.b"),
        (dict[str, LinearState], lambda s: {}, lambda s: {1: s}, "value[1]"),
        (LinearState | None, lambda s: None, lambda s: 1, "value"),
        (LinearState | MlpState, lambda s: s, lambda s: state({}), "value.kernel"),
        (dict[str, list[LinearState]], lambda s: {"a": [s]}, lambda s: {"a": [1]}, "value.a[0]"),
        (Sequence[LinearState], lambda s: (s,), lambda s: s, "value"),
        (LinearState | int, lambda s: 3, lambda s: "3", "value"),
        (float | LinearState | None, lambda s: 3.5, lambda s: 3j, "value"),
    ],
)
def test_containers(hint: Any, good: Any, bad: Any, path: str) -> None:
    def use(value: Any) -> Any:
        return value

    use.__annotations__ = {"value": hint, "return": hint}
    use = checked(use)
    s = linear_state()
    for _ in range(3):
        value = good(s)
        assert use(value) is value
    assert first_line(refused(use, bad(s))).startswith(f"{path}: ")


def test_records() -> None:
    class TrainState(NamedTuple):
        params: LinearState
        step: int

    @dataclasses.dataclass
    class Loop:
        params: LinearState
        name: str

    @checked
    def use(one: TrainState, other: Loop) -> None: ...

    s = linear_state()
    use(TrainState(s, 1), Loop(s, "a"))
    use(TrainState(s, 1), Loop(s, "a"))
    assert first_line(refused(use, TrainState(state({}), 1), Loop(s, "a"))).startswith(
        "one.params.kernel: missing"
    )
    assert first_line(refused(use, TrainState(s, 1), Loop(s, 3))).startswith("other.name")  # type: ignore[arg-type]


def test_parameters_named_like_our_own_names() -> None:
    @checked
    def use(
        _call: LinearState,
        __target: int,
        isinstance: int,
        next: float = 1.0,
        *_found: int,
        ___error: str = "",
    ) -> Float[Array, "dout"]:
        return ones(__target)

    assert use(linear_state(), 3, 4).shape == (3,)
    refused(use, linear_state(), 4, 4)
    refused(use, linear_state(), 3, "4")
    refused(use, linear_state(), 3, 4, "x")
