"""`infer(fix=True)`: no other size is accepted, of a run of axes neither."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests import zoo
from tests.inference.inferred import built, code, conv, said
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
    def Stem(self: Any) -> None:
        self.conv = conv(3, 8, (5, 3))
        self.up = nnx.ConvTranspose(8, 3, (2,), rngs=nnx.Rngs(0))

    assert said(built(Stem), fix=True) == code("""
        class StemState(TypedState):
            conv: Bind[ConvState, "din=3 dout=8 *window=5 3"]
            up: Bind[ConvTransposeState, "din=8 dout=3 *window=2"]
        """)


class Square(nnx.Module):
    """A convolution as long as wide, and one beside it."""

    def __init__(self, k: int, *, axes: int = 2) -> None:
        self.mix = conv(4, 4, (k,) * axes)
        self.point = conv(4, 4, (1,) * axes)


def test_windows_of_several_sizes_are_dims_of_the_class_that_has_them() -> None:
    def Net(self: Any) -> None:
        self.small, self.large = Square(3), Square(5)

    assert said(built(Net), fix=True) == code("""
        class SquareState(TypedState):
            mix: Bind[ConvState, "din=4 dout=4 *window=window window"]
            point: Bind[ConvState, "din=4 dout=4 *window=1 1"]


        class NetState(TypedState):
            small: Bind[SquareState, "window=3"]
            large: Bind[SquareState, "window=5"]
        """)


def test_windows_of_another_number_of_axes_are_a_union() -> None:
    def Net(self: Any) -> None:
        self.wave, self.image = Square(3, axes=1), Square(3)

    mixed = (
        'Bind[ConvState, "din=4 dout=4 *window=3"] | Bind[ConvState, "din=4 dout=4 *window=3 3"]'
    )
    assert mixed in said(built(Net), fix=True).replace("\n        ", " ")


def test_a_window_that_varies_is_a_dim_and_others_are_numbers() -> None:
    schema = infer(Square, vary={"k": (3, 5)})
    assert to_source(schema).partition("\n\n\n")[2] == code("""
        class SquareState(TypedState):
            mix: Bind[ConvState, "din=4 dout=4 *window=k k"]
            point: Bind[ConvState, "din=4 dout=4 *window=1 1"]
        """)
    assert explain(nnx.state(Square(7)), schema).dims == {"k": 7}
    assert not explain(nnx.state(Square(3, axes=3)), schema)


def test_the_cache_of_attention_is_fixed_in_the_class_of_the_catalogue() -> None:
    attention = nnx.MultiHeadAttention(2, 8, decode=True, rngs=nnx.Rngs(0))
    attention.init_cache((3, 5, 8))
    schema = infer({"attention": nnx.state(attention)}, fix=True)
    dims = "din=8 heads=2 head_dim=4 dkv=8 kv_heads=2 dout=8 length=5 *batch=3"
    assert f'Bind[MultiHeadAttentionState, "{dims}"]'.replace(" ", "") in "".join(
        to_source(schema).split()
    ).replace(",]", "]")
    attention.init_cache((4, 5, 8))
    assert not explain({"attention": nnx.state(attention)}, schema)


def test_a_kernel_whose_axes_have_no_names_is_fixed_too() -> None:
    def Net(self: Any) -> None:
        self.mix = nnx.Einsum("abc,cde->abde", (2, 3, 4), rngs=nnx.Rngs(0))
        self.merge = nnx.LinearGeneral(
            (2, 3), (4, 5), axis=(0, 1), use_bias=False, rngs=nnx.Rngs(0)
        )

    text = said(built(Net), fix=True)
    assert 'Float32[Array, "2 3 4"]' in text
    assert 'Float32[Array, "2 3 4 5"]' in text


def test_entries_of_unlike_sizes_are_written_one_by_one() -> None:
    def Tower(self: Any) -> None:
        self.layers = zoo.list_of([Square(3), Square(3), Square(5)])

    assert said(built(Tower), fix=True).rpartition("\n\n\n")[2] == code("""
        class TowerState(TypedState):
            layers: Entries[
                Bind[SquareState, "window=3"],
                Bind[SquareState, "window=3"],
                Bind[SquareState, "window=5"],
            ]
        """)
