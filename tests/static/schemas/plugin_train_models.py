"""The models and functions of the train steps that the static tests look at; they have no schema."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

Params = nnx.State[Any, nnx.Param[jax.Array]]


class Block(nnx.Module):
    def __init__(self, d: int, rngs: nnx.Rngs) -> None:
        self.attn = nnx.MultiHeadAttention(2, d, rngs=rngs, decode=False)
        self.norm = nnx.BatchNorm(d, rngs=rngs)
        self.mlp = nnx.Sequential(
            nnx.Linear(d, 8, rngs=rngs), nnx.relu, nnx.Linear(8, d, rngs=rngs)
        )
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y: jax.Array = self.mlp(self.norm(self.attn(x)))
        return self.dropout(y)


class Net(nnx.Module):
    def __init__(self, d: int, layers: int, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(11, d, rngs=rngs)
        self.blocks = nnx.List([Block(d, rngs) for _ in range(layers)])
        self.head = nnx.Linear(d, 11, use_bias=False, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Teacher(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.table = nnx.Param(jnp.ones((11, 11)))

    def __call__(self, tokens: jax.Array) -> jax.Array:
        return self.table[tokens]


def net() -> Net:
    return Net(4, 2, nnx.Rngs(0))


def loss(model: Net, tokens: jax.Array) -> jax.Array:
    return model(tokens).mean()


def loss_and_logits(model: Net, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    logits = model(tokens)
    return logits.mean(), logits


def teacher_loss(model: Teacher, tokens: jax.Array) -> jax.Array:
    return model(tokens).mean()


def squares(params: Params, scale: jax.Array) -> jax.Array:
    leaves = jax.tree.leaves(params)
    return jnp.stack([jnp.sum(scale * leaf**2) for leaf in leaves]).sum()


def decayed(params: Params, rate: jax.Array) -> tuple[Params, jax.Array]:
    return jax.tree.map(lambda x: x * rate, params), rate
