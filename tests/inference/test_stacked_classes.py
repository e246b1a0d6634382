"""Stacks of modules without a layer of Flax's, beside one of the class that stands by itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests.inference.inferred import code, said
from typedstate import fits, infer


class Affine(nnx.Module):
    def __init__(self, din: int, dout: int, rngs: nnx.Rngs) -> None:
        self.w = nnx.Param(jax.random.uniform(rngs.params(), (din, dout)))
        self.b = nnx.Param(jnp.zeros(dout))


class Block(nnx.Module):
    def __init__(self, din: int, dout: int, rngs: nnx.Rngs) -> None:
        self.affine = Affine(din, dout, rngs)
        self.mean = nnx.BatchStat(jnp.zeros(dout))


class Net(nnx.Module):
    """A first block, further ones that are stacked, and a head of as many units as there are."""

    def __init__(self, layers: int, axis: int, rngs: nnx.Rngs) -> None:
        make: Any = nnx.vmap(lambda rngs: Block(8, 8, rngs), out_axes=axis)
        self.first = Block(1, 8, rngs)
        self.blocks = nnx.split_rngs(splits=layers)(make)(rngs)
        self.head = Affine(8, layers, rngs)


@pytest.mark.parametrize(("axis", "place"), [(0, ""), (1, ", Axis(1)")])
def test_a_class_that_stands_by_itself_too_shows_the_axis(axis: int, place: str) -> None:
    net = Net(3, axis, nnx.Rngs(0))
    text = said(net)
    assert text == code(f"""
        class AffineState(TypedState):
            w: nnx.Param[Float[Array, "din dout"]]
            b: nnx.Param[Float[Array, "dout"]]


        class BlockState(TypedState):
            affine: Bind[AffineState, "din dout"]
            mean: nnx.BatchStat[Float[Array, "dout"]]


        class NetState(TypedState):
            first: Bind[BlockState, "dout=d"]
            blocks: Stacked[Bind[BlockState, "din=d dout=d"], "layers"{place}]
            head: Bind[AffineState, "din=d dout=classes"]
        """)
    other = nnx.state(Net(5, axis, nnx.Rngs(1)))
    assert fits(other, infer(net))
    other["blocks"]["mean"] = nnx.state(Net(4, axis, nnx.Rngs(1)))["blocks"]["mean"]
    assert not fits(other, infer(net))


def test_a_leaf_without_the_axis_is_in_no_stack() -> None:
    net = Net(3, 0, nnx.Rngs(0))
    net.blocks.mean = nnx.BatchStat(jnp.zeros(8))
    text = said(net)
    assert 'affine: Stacked[Bind[AffineState, "din=d dout=d"], "affine"]' in text
    assert 'affine: Bind[AffineState, "dout"]' in text
    assert "Stacked[Bind[BlockState," not in text


def test_a_single_leaf_of_a_further_axis_says_nothing() -> None:
    class Scale(nnx.Module):
        def __init__(self, *shape: int) -> None:
            self.scale = nnx.Param(jnp.ones(shape))

    class Scaled(nnx.Module):
        def __init__(self) -> None:
            self.norm, self.heads = Scale(8), Scale(2, 8)

    assert "Stacked" not in said(Scaled())
