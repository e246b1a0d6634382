"""Arrays whose axes stand in another order are told at once, and alone."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState, state
from typedstate import Bind, Stacked, StateMap, TypedState, explain


class MlpState(TypedState):
    up: Bind[LinearState, "din=d dout=h"]
    down: Bind[LinearState, "din=h dout=d"]


class ModelState(TypedState):
    layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
    head: Bind[LinearState, "din=d dout=classes"]


class ConvState(TypedState):
    kernel: nnx.Param[Float[Array, "3 3 cin cout"]]
    bias: nnx.Param[Float[Array, "cout"]]


class FixedState(TypedState):
    kernel: nnx.Param[Float[Array, "4 3"]]


def linear(*kernel: int, bias: int) -> dict[str, Any]:
    return {"kernel": nnx.Param(jnp.ones(kernel)), "bias": nnx.Param(jnp.ones(bias))}


def lines(tree: Any, hint: Any, **dims: int) -> list[str]:
    return str(explain(state(tree), hint, dims=dims or None)).splitlines()


def test_a_transposed_kernel_is_blamed_alone() -> None:
    square = linear(4, 4, bias=4)
    tree = {"layers": {0: square, 1: square}, "head": linear(3, 4, bias=3)}
    assert lines(tree, ModelState) == [
        "does not fit ModelState: 1 violation",
        '  head.kernel: the shape is (3,4), but "din dout" is (4,3) '
        "with d=4 from layers[0].kernel, classes=3 from head.bias "
        "(the axes look swapped: is it transposed?) [dim]",
        "  dims: d=4 classes=3",
    ]


@pytest.mark.parametrize("both", [True, False])
def test_one_of_two_kernels_is_told_from_both(both: bool) -> None:
    down = linear(4, 3, bias=4) if both else linear(3, 4, bias=4)
    found = explain(state({"up": linear(3, 4, bias=3), "down": down}), MlpState)
    assert [item.path for item in found.violations] == ["up.kernel", "down.kernel"][: 1 + both]
    assert {item.note for item in found.violations} == {"the axes look swapped: is it transposed?"}
    assert found.dims == {"h": 3, "d": 4}


def test_any_order_that_fits_is_named() -> None:
    assert lines(linear(8, 2, 3, 3, bias=8), ConvState, cin=2)[1] == (
        '  kernel: the shape is (8,2,3,3), but "3 3 cin cout" is (3,3,2,8) with '
        "cin=2 as given by dims=, cout=8 from bias "
        "(the axes look permuted: jnp.transpose(array, (2, 3, 1, 0)) fits) [dim]"
    )


def test_sizes_that_are_fixed_tell_it_too() -> None:
    assert lines({"kernel": nnx.Param(jnp.ones((3, 4)))}, FixedState) == [
        "does not fit FixedState: 1 violation",
        "  kernel: expected (4,3), found (3,4) (the axes look swapped: is it transposed?) [size]",
    ]


def test_one_size_that_fits_may_be_chance() -> None:
    assert lines(linear(3, 4, bias=3), LinearState)[1:] == [
        "  bias: dout is 3, but dout=4 from kernel, axis 1 [dim]",
        "  dims: din=3 dout=4",
    ]


def test_what_else_is_wrong_is_told_beside_it() -> None:
    square = linear(4, 4, bias=4)
    tree = {"layers": {0: square, 1: linear(4, 4, bias=5)}, "head": linear(3, 4, bias=3)}
    paths = [item.path for item in explain(state(tree), ModelState).violations]
    assert paths == ["layers[1].bias", "head.kernel"]


def stacked(at: int, tree: dict[str, Any]) -> dict[str, Any]:
    return {
        key: stacked(at, item)
        if isinstance(item, dict)
        else nnx.Param(jnp.stack([item[...]] * 6, at))
        for key, item in tree.items()
    }


def test_a_stacked_axis_that_moved_is_named_for_each_array() -> None:
    tree = stacked(1, {"up": linear(4, 3, bias=3), "down": linear(3, 4, bias=4)})
    assert lines(tree, Stacked[MlpState, "layers"])[1:] == [
        '  up.kernel: the shape is (4,6,3), but "layers din dout" is (6,4,3) '
        "(the axis layers stands at 1) [dim]",
        '  up.bias: the shape is (3,6), but "layers dout" is (6,3) '
        "(the axis layers stands at 1) [dim]",
        '  down.kernel: the shape is (3,6,4), but "layers din dout" is (6,3,4) '
        "(the axis layers stands at 1) [dim]",
        '  down.bias: the shape is (4,6), but "layers dout" is (6,4) '
        "(the axis layers stands at 1) [dim]",
    ]


def test_of_one_array_alone_a_stacked_axis_moved() -> None:
    tree = stacked(0, {"up": linear(4, 3, bias=3), "down": linear(3, 4, bias=4)})
    tree["up"]["kernel"] = nnx.Param(jnp.ones((4, 6, 3)))
    assert lines(tree, Stacked[MlpState, "layers"])[1:-1] == [
        '  up.kernel: the shape is (4,6,3), but "layers din dout" is (6,4,3) with '
        "layers=6 from up.bias, d=4 from down.kernel (the axes look swapped: is it transposed?) "
        "[dim]"
    ]
