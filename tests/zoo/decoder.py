"""A decoder-only transformer of any depth, whose embedding reads tokens and writes logits."""

from __future__ import annotations

import jax
from flax import nnx
from jaxtyping import Array, Float, Int

from tests.zoo import EmbedState, LinearState, NormState, UncachedAttentionState, list_of
from typedstate import Bind, StateMap, TypedState


class LayerState(TypedState):
    attention: Bind[UncachedAttentionState, "d heads hd"]
    first: Bind[NormState, "d"]
    second: Bind[NormState, "d"]
    up: Bind[LinearState, "din=d dout=4*d"]
    down: Bind[LinearState, "din=4*d dout=d"]


class DecoderState(TypedState):
    embed: Bind[EmbedState, "vocab d"]
    layers: Bind[StateMap[int, Bind[LayerState, "d heads hd"]], "len=depth"]
    last: Bind[NormState, "d"]


class Layer(nnx.Module):
    """Attention and two layers, each behind a norm."""

    def __init__(self, d: int, heads: int, rngs: nnx.Rngs) -> None:
        self.attention = nnx.MultiHeadAttention(heads, d, decode=False, rngs=rngs)
        self.first = nnx.LayerNorm(d, rngs=rngs)
        self.second = nnx.LayerNorm(d, rngs=rngs)
        self.up = nnx.Linear(d, 4 * d, rngs=rngs)
        self.down = nnx.Linear(4 * d, d, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.first(x))
        return x + self.down(nnx.gelu(self.up(self.second(x))))


class Decoder(nnx.Module):
    """A transformer of ``16 * depth + 3`` leaves; with adamw's moments three times as many."""

    def __init__(self, depth: int, d: int = 8, heads: int = 2, vocab: int = 16) -> None:
        rngs = nnx.Rngs(0)
        self.embed = nnx.Embed(vocab, d, rngs=rngs)
        self.layers = list_of([Layer(d, heads, rngs) for _ in range(depth)])
        self.last = nnx.LayerNorm(d, rngs=rngs)

    def __call__(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocab"]:
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.embed.attend(self.last(x))
