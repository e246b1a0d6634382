"""`infer(fix=True)`: no other size is accepted, of a run of axes neither."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests import zoo
from typedstate import explain, infer, to_source


class Stage(nnx.Module):
    """Two convolutions; the last stage has a projection too."""

    def __init__(self, din: int, mid: int, rngs: nnx.Rngs, *, projects: bool = True) -> None:
        self.narrow = nnx.Conv(din, mid, (1, 1), use_bias=False, rngs=rngs)
        self.wide = nnx.Conv(mid, 4 * mid, (5, 3), use_bias=False, rngs=rngs)
        self.side = nnx.Conv(din, 4 * mid, (1, 1), rngs=rngs) if projects else None


class Pyramid(nnx.Module):
    """Convolutions of one and of two axes, and what contracts two axes."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.wave = nnx.Conv(2, 4, 7, rngs=rngs)
        self.stem = nnx.Conv(3, 4, (7, 7), rngs=rngs)
        self.back = nnx.ConvTranspose(4, 3, (2, 2), rngs=rngs)
        self.stages = zoo.list_of([Stage(4, 4, rngs), Stage(16, 4, rngs, projects=False)])
        self.norm = nnx.LayerNorm(16, rngs=rngs)
        self.merge = nnx.LinearGeneral((4, 8), (2, 16), axis=(0, 1), rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, rngs=rngs)


LAYERS = [
    ("wave",),
    ("stem",),
    ("back",),
    ("stages", 0, "wide"),
    ("stages", 1, "narrow"),
    ("merge",),
    ("attention", "query"),
]


def with_kernel(state: Any, path: tuple[Any, ...], change: Any) -> Any:
    """The state with another kernel at a layer."""
    layer = state
    for key in path:
        layer = layer[key]
    (kernel,) = jax.tree.leaves(layer["kernel"])
    layer["kernel"] = zoo.leaf(nnx.Param, jnp.zeros(change(kernel.shape), kernel.dtype))
    return state


@pytest.fixture(scope="module")
def fixed() -> Any:
    return infer(Pyramid(nnx.Rngs(0)), fix=True)


@pytest.mark.parametrize("path", LAYERS, ids=str)
def test_another_size_of_any_axis_and_one_axis_more_are_refused(
    fixed: Any, path: tuple[Any, ...]
) -> None:
    def state() -> Any:
        return nnx.state(Pyramid(nnx.Rngs(0)))

    assert explain(state(), fixed)
    codes = {item.code for item in explain(with_kernel(state(), path, more_axes), fixed).violations}
    assert codes == {"rank"}
    for axis in (0, 1, -1):
        grown = with_kernel(state(), path, lambda shape, axis=axis: one_longer(shape, axis))
        found = {item.code for item in explain(grown, fixed).violations}
        assert found == {"size"}, (axis, found)


def more_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape)


def one_longer(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    sizes = list(shape)
    sizes[axis] += 1
    return tuple(sizes)


def test_the_source_of_what_a_source_gives_is_that_source(fixed: Any) -> None:
    source = to_source(fixed)
    names: dict[str, Any] = {}
    exec(compile(source, "<source>", "exec"), names)
    assert to_source(names["PyramidState"]) == source
    assert "would settle" not in source, "where all sizes are numbers no second one tells more"


def test_a_convolution_is_written_with_its_window() -> None:
    class Stem(nnx.Module):
        def __init__(self) -> None:
            self.conv = nnx.Conv(3, 8, (5, 3), rngs=nnx.Rngs(0))

    assert to_source(infer(Stem(), fix=True)).partition("\n\n\n")[2] == (
        "class ConvState(TypedState):\n"
        '    kernel: nnx.Param[Float32[Array, "5 3 3 8"]]\n'
        '    bias: nnx.Param[Float32[Array, "8"]]\n'
        "\n\n"
        "class StemState(TypedState):\n"
        "    conv: ConvState\n"
    )
