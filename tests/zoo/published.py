"""Small models of our own, in the shape of public ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from tests.zoo import list_of


class MLP(nnx.Module):
    """Two layers with dropout behind them."""

    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(d, hidden, rngs=rngs)
        self.down = nnx.Linear(hidden, d, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)


class Block(nnx.Module):
    """GPT-2's block: norms before attention and MLP."""

    def __init__(self, d: int, heads: int, rngs: nnx.Rngs) -> None:
        self.norm1 = nnx.LayerNorm(d, rngs=rngs)
        self.attn = nnx.MultiHeadAttention(heads, d, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(d, rngs=rngs)
        self.mlp = MLP(d, 4 * d, rngs)


class GPT(nnx.Module):
    """A list of blocks between an embedding and a head without bias."""

    def __init__(
        self, vocab: int = 31, d: int = 8, layers: int = 3, heads: int = 2, *, rngs: nnx.Rngs
    ) -> None:
        self.embed = nnx.Embed(vocab, d, rngs=rngs)
        self.blocks = list_of([Block(d, heads, rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(d, rngs=rngs)
        self.head = nnx.Linear(d, vocab, use_bias=False, rngs=rngs)


class Projection(nnx.Module):
    """A weight of an einsum, of any shape."""

    def __init__(self, einsum_str: str, shape: tuple[int, ...], rngs: nnx.Rngs) -> None:
        self.einsum_str = einsum_str
        self.shape = shape
        self.w = nnx.Param(nnx.initializers.normal()(rngs.params(), shape))


class Norm(nnx.Module):
    """A norm of a class of its own, with a weight alone."""

    def __init__(self, d: int, rngs: nnx.Rngs) -> None:
        self.w = nnx.Param(nnx.initializers.ones_init()(rngs.params(), (d,)))


class GroupedAttention(nnx.Module):
    """Of Llama's shape; with biases, as Qwen has them, and norms of queries and keys."""

    def __init__(self, d: int, heads: int, kv_heads: int, head_dim: int, rngs: nnx.Rngs) -> None:
        self.q_proj = Projection("BTD,DNH->BTNH", (d, heads, head_dim), rngs)
        self.k_proj = Projection("BSD,DKH->BSKH", (d, kv_heads, head_dim), rngs)
        self.v_proj = Projection("BSD,DKH->BSKH", (d, kv_heads, head_dim), rngs)
        self.o_proj = Projection("BTNH,NHD->BTD", (heads, head_dim, d), rngs)
        self.q_bias = nnx.Param(jnp.zeros(heads * head_dim))
        self.k_bias = nnx.Param(jnp.zeros(kv_heads * head_dim))
        self.q_norm = Norm(head_dim, rngs)


class GatedMLP(nnx.Module):
    """Llama's MLP: three layers without bias."""

    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.gate_proj = nnx.Linear(d, hidden, use_bias=False, rngs=rngs)
        self.up_proj = nnx.Linear(d, hidden, use_bias=False, rngs=rngs)
        self.down_proj = nnx.Linear(hidden, d, use_bias=False, rngs=rngs)


class DecoderLayer(nnx.Module):
    """Llama's layer: grouped attention and a gated MLP."""

    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.input_layernorm = Norm(d, rngs)
        self.attn = GroupedAttention(d, 4, 2, 6, rngs)
        self.mlp = GatedMLP(d, hidden, rngs)


class Llama(nnx.Module):
    """Layers between an embedding and a head that is an einsum."""

    def __init__(self, vocab: int, d: int, hidden: int, layers: int, *, rngs: nnx.Rngs) -> None:
        self.embedder = nnx.Embed(vocab, d, rngs=rngs)
        self.layers = list_of([DecoderLayer(d, hidden, rngs) for _ in range(layers)])
        self.final_norm = Norm(d, rngs)
        self.lm_head = Projection("BTD,DV->BTV", (d, vocab), rngs)


class DiT(nnx.Module):
    """Heads as wide as there are classes, by accident."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.patch_embed = nnx.Conv(3, 8, (2, 2), rngs=rngs)
        self.label_embed = nnx.Embed(4, 8, rngs=rngs)
        self.blocks = list_of([Block(8, 2, rngs) for _ in range(2)])
        self.final_proj = nnx.Linear(8, 12, rngs=rngs)


class ConvBlock(nnx.Module):
    """A convolution without bias, and its batch norm."""

    def __init__(self, cin: int, cout: int, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(cin, cout, (3, 3), use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(cout, rngs=rngs)


class ConvNet(nnx.Module):
    """Blocks that grow wider, each under a name of its own."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.stem = ConvBlock(3, 8, rngs)
        self.block1 = ConvBlock(8, 16, rngs)
        self.block2 = ConvBlock(16, 24, rngs)
        self.classifier = nnx.Linear(24, 10, rngs=rngs)


class Dense(nnx.Module):
    """A layer of the user's own, whose class says nothing of its sizes."""

    def __init__(self, din: int, dout: int, rngs: nnx.Rngs, *, use_bias: bool = True) -> None:
        self.weight = nnx.Param(nnx.initializers.normal()(rngs.params(), (din, dout)))
        if use_bias:
            self.bias = nnx.Param(jnp.zeros(dout))


class DenseBlock(nnx.Module):
    """Layers of the class above, in which width and hidden width meet."""

    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.mix = Dense(d, d, rngs)
        self.fc1 = Dense(d, hidden, rngs, use_bias=False)
        self.fc2 = Dense(hidden, d, rngs)
        self.scale = nnx.Param(jnp.ones(d))


class Scanned(nnx.Module):
    """Blocks that are one stack, as ``nnx.vmap`` makes it."""

    def __init__(self, d: int, layers: int, *, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=layers)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def make(inner: nnx.Rngs) -> Block:
            return Block(d, 2, inner)

        self.embed = nnx.Embed(5, d, rngs=rngs)
        self.blocks = make(rngs)


class Statistics(nnx.Module):
    """Leaves without a Param: a count and a mean."""

    def __init__(self) -> None:
        self.seen = nnx.Variable(jnp.zeros((), jnp.int32))
        self.mean = nnx.BatchStat(jnp.zeros(4))


def abstract(make: Any) -> Any:
    """What `nnx.eval_shape` makes of a function that takes rngs."""
    return nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0)))


def first(tree: Any) -> jax.Array:
    """Any leaf of a tree."""
    found: jax.Array = jax.tree.leaves(tree)[0]
    return found
