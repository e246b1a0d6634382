"""Whole messages of `checked`."""

from __future__ import annotations

import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.boundaries.helpers import linear_state, ones, refused
from tests.zoo import LinearState, Mlp, MlpState, leaf, state
from typedstate import StateTypeError, checked


def test_message_of_arguments() -> None:
    @checked
    def step(
        params: MlpState, x: Float[Array, "batch d"], lr: float
    ) -> Float[Array, "batch hidden"]:
        return x

    wrong = nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0)))
    wrong["up"]["kernel"] = leaf(nnx.Param, ones((2, 4)))
    name = "test_message_of_arguments.<locals>.step()"
    assert refused(step, wrong, ones((5, 7)), 0.1) == (
        f"the arguments of {name} do not fit: 2 violations\n"
        "  params.up.kernel: dout is 4, but hidden=3 from params.up.bias, axis 0 [dim]\n"
        "  x: d is 7, but d=2 from params.up.kernel, axis 0 [dim]\n"
        "  dims: d=2 hidden=3 batch=5\n"
        "signature:\n"
        "  -> params: MlpState\n"
        '  -> x: Float[Array, "batch d"]\n'
        '     return: Float[Array, "batch hidden"]'
    )


def test_message_of_the_return_value() -> None:
    @checked
    def apply(params: LinearState, x: Float[Array, "b din"]) -> Float[Array, "b dout"]:
        return x

    name = "test_message_of_the_return_value.<locals>.apply()"
    assert refused(apply, linear_state(), ones((4, 2))) == (
        f"the return value of {name} does not fit: 1 violation\n"
        "  return: dout is 2, but dout=3 from params.kernel, axis 1 [dim]\n"
        "  dims: din=2 dout=3 b=4\n"
        "signature:\n"
        "     params: LinearState\n"
        '     x: Float[Array, "b din"]\n'
        '  -> return: Float[Array, "b dout"]'
    )


def test_message_of_what_is_beartypes() -> None:
    @checked
    def step(params: LinearState, lr: float) -> None: ...

    name = "test_message_of_what_is_beartypes.<locals>.step()"
    assert refused(step, linear_state(), "fast") == (
        f"the arguments of {name} do not fit: 1 violation\n"
        "  lr: expected float, found str [array]\n"
        "signature:\n"
        "     params: LinearState\n"
        "  -> lr: float"
    )


def test_message_of_a_container_that_is_beartypes() -> None:
    @checked
    def step(params: LinearState, sizes: list[int]) -> None: ...

    assert refused(step, linear_state(), ["x"]).splitlines()[1:] == [
        "  sizes: expected list[int], found list "
        "(list index 0 item str 'x' not instance of int) [array]",
        "signature:",
        "     params: LinearState",
        "  -> sizes: list[int]",
    ]


def test_message_of_one_of_many_arguments() -> None:
    @checked
    def use(*more: int, **rest: list[int]) -> None: ...

    use(1, 2, a=[1])
    assert refused(use, 1, "x", 2, 3.5, a=[1], b=["y"]).splitlines()[1:] == [
        "  more[1]: expected int, found str [array]",
        "  more[3]: expected int, found float [array]",
        "signature:",
        "  -> more: int",
    ]
    assert refused(use, 1, a=[1], b=["y"]).splitlines()[1:] == [
        "  rest['b']: expected list[int], found list "
        "(list index 0 item str 'y' not instance of int) [array]",
        "signature:",
        "  -> rest: list[int]",
    ]


def test_error_holds_the_report() -> None:
    @checked
    def use(params: LinearState) -> None: ...

    use(state({"kernel": nnx.Param(ones((2, 3)))}))  # no bias: it is optional
    with pytest.raises(StateTypeError) as caught:
        use(state({"bias": nnx.Param(ones(3))}))
    report = caught.value.report
    assert report is not None
    assert [(item.path, item.code) for item in report.violations] == [("params.kernel", "missing")]


def test_what_is_plain_and_wrong_is_said_with_the_state() -> None:
    @checked
    def use(params: LinearState, scale: float, *more: int, name: str = "", **rest: int) -> None: ...

    message = refused(use, 3, "2", 1, "x", name=5, a="b")
    assert message.splitlines() == [
        "the arguments of test_what_is_plain_and_wrong_is_said_with_the_state.<locals>.use() "
        "do not fit: 5 violations",
        "  params: expected a state LinearState, found int [container]",
        "  scale: expected float, found str [array]",
        "  more[1]: expected int, found str [array]",
        "  name: expected str, found int [array]",
        "  rest['a']: expected int, found str [array]",
        "signature:",
        "  -> params: LinearState",
        "  -> scale: float",
        "  -> more: int",
        "  -> name: str",
        "  -> rest: int",
    ]
    message = refused(use, 3, 2.0)
    assert message.splitlines()[1:] == [
        "  params: expected a state LinearState, found int [container]",
        "signature:",
        "  -> params: LinearState",
    ]
