"""Trains a small transformer on eight virtual devices, model and optimizer sharded, all typed.

The way is that of Flax's FSDP example: state, map, ``with_sharding_constraint``, update. One
declaration by dims says where every array belongs; it checks the axis names that are written
by hand, gives the trees for ``jax.jit``, and knows whether an array is where it should be.

    python examples/fsdp.py
"""

from __future__ import annotations

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, Int

from typedstate import (
    Bind,
    Only,
    Placed,
    SchemaError,
    Sharded,
    Shardings,
    Specs,
    StateMap,
    StateTypeError,
    TypedState,
    checked,
    shardings,
)
from typedstate.layers import (
    AdamState,
    EmbedState,
    LayerNormState,
    LinearState,
    ModelAndOptimizerState,
)

MESH = Mesh(np.array(jax.devices()).reshape(4, 2), ("fsdp", "tensor"))
VOCAB, WIDTH, HIDDEN, HEADS, LAYERS, BATCH, TIME = 32, 32, 64, 4, 2, 16, 24
STEPS = 60


# -- The declaration ---------------------------------------------------------------------------


class BlockState(TypedState):
    norm1: Bind[LayerNormState, "features=d"]
    qkv: Bind[LinearState, "din=d dout=3*d"]
    out: Bind[LinearState, "din=d dout=d"]
    norm2: Bind[LayerNormState, "features=d"]
    up: Bind[LinearState, "din=d dout=hidden"]
    down: Bind[LinearState, "din=hidden dout=d"]


class TransformerState(TypedState):
    embed: Bind[EmbedState, "vocab features=d"]
    blocks: Bind[StateMap[int, Bind[BlockState, "d"]], "len=layers"]
    head: Bind[LinearState, "din=d dout=vocab"]


# The layers come from the catalogue, which knows no meshes: their dims say where they go.
Model = Sharded[TransformerState, "d=fsdp 3*d=tensor hidden=tensor vocab=tensor"]
# Adam's moments are like the parameters, and lie where they lie.
Training = ModelAndOptimizerState[Model, AdamState[Only[Model, nnx.Param]]]


# -- The model -----------------------------------------------------------------------------------


def by_rows(x: jax.Array) -> jax.Array:
    """Activations lie by rows of the batch; the weights are gathered where they are used."""
    return jax.lax.with_sharding_constraint(x, NamedSharding(MESH, P("fsdp")))


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm1 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.qkv = nnx.Linear(WIDTH, 3 * WIDTH, rngs=rngs)
        self.out = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.norm2 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.up = nnx.Linear(WIDTH, HIDDEN, rngs=rngs)
        self.down = nnx.Linear(HIDDEN, WIDTH, rngs=rngs)

    @checked
    def attend(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        heads = self.qkv(x).reshape(*x.shape[:2], 3, HEADS, -1)
        query, key, value = jnp.moveaxis(heads, 2, 0)
        mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.reshape(x.shape))

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        x = by_rows(x + self.attend(self.norm1(x)))
        return by_rows(x + self.down(nnx.gelu(self.up(self.norm2(x)))))


class Transformer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        listed: Any = getattr(nnx, "List", list)  # Flax 0.10 takes a plain list
        self.embed = nnx.Embed(VOCAB, WIDTH, rngs=rngs)
        self.blocks = listed([Block(rngs) for _ in range(LAYERS)])
        self.head = nnx.Linear(WIDTH, VOCAB, rngs=rngs)

    @checked
    def __call__(self, tokens: Int[Array, "b t"]) -> Float[Array, "b t vocab"]:
        x = by_rows(self.embed(tokens))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def new_training() -> Any:
    """A model with its optimizer: one graph node on every Flax."""
    optimizer: Any = getattr(nnx, "ModelAndOptimizer", nnx.Optimizer)
    return optimizer(Transformer(nnx.Rngs(0)), optax.adam(1e-2), wrt=nnx.Param)


# -- State, map, constraint, update --------------------------------------------------------------

BY_HAND = {
    "embed.embedding": P("tensor", "fsdp"),
    "qkv.kernel": P("fsdp", "tensor"),
    "qkv.bias": P("tensor"),
    "out.kernel": P("fsdp"),
    "out.bias": P("fsdp"),
    "up.kernel": P("fsdp", "tensor"),
    "up.bias": P("tensor"),
    "down.kernel": P("tensor", "fsdp"),
    "down.bias": P("fsdp"),
    "head.kernel": P("fsdp", "tensor"),
    "head.bias": P("tensor"),
    **{f"{norm}.{name}": P("fsdp") for norm in ("norm1", "norm2") for name in ("scale", "bias")},
}


@checked
def by_hand(state: Training, table: dict[str, P] = BY_HAND) -> Specs[Training]:
    """The axis names of each leaf, as they are usually written: by hand, by its path."""
    names: Any = nnx.map_state(lambda path, _: table.get(".".join(map(str, path[-2:])), P()), state)
    return names


@checked
def on_mesh(specs: Specs[Training]) -> Shardings[Training]:
    return jax.tree.map(partial(NamedSharding, MESH), specs)


@jax.jit
@checked
def constrain(state: Training) -> Training:
    """The state with every array where the names say."""
    return jax.lax.with_sharding_constraint(state, on_mesh(by_hand(state)))


# -- Training ------------------------------------------------------------------------------------


@checked
def loss_of(model: Transformer, tokens: Int[Array, "b t"]) -> Float[Array, ""]:
    logits = model(tokens[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()


def make_step(graphdef: Any, placed: Placed[Training]) -> Any:
    """One step, compiled for the shardings of the declaration."""
    named = shardings(Training, MESH, like=placed)
    rows = NamedSharding(MESH, P("fsdp"))

    @partial(jax.jit, in_shardings=(named, rows), out_shardings=(named, None))
    @checked
    def step(state: Training, tokens: Int[Array, "b t"]) -> tuple[Training, Float[Array, ""]]:
        training = nnx.merge(graphdef, state)
        loss, grads = nnx.value_and_grad(loss_of)(training.model, tokens)
        training.update(grads)
        return Training.of(training), loss

    return step


@checked
def log(step: int, loss: Float[Array, ""], state: Placed[Training]) -> float:
    """Only takes a state that is still where it belongs."""
    kernel = state["model"]["blocks"][0]["up"]["kernel"]
    print(f"step {step:3d}: loss {float(loss):.3f}, up.kernel at {value_of(kernel).sharding.spec}")
    return float(loss)


def value_of(leaf: Any) -> Any:
    """A leaf's array, on every Flax."""
    return leaf[...] if hasattr(leaf, "get_value") else leaf.value


def batches() -> Any:
    """Arithmetic sequences: the next token is the last one plus a step."""
    rng = np.random.default_rng(0)
    while True:
        start, step = rng.integers(0, VOCAB, (BATCH, 1)), rng.integers(1, 5, (BATCH, 1))
        yield jnp.asarray((start + step * np.arange(TIME + 1)) % VOCAB, jnp.int32)


def train() -> Any:
    training = new_training()
    nnx.update(training, constrain(Training.of(training)))
    state = Training.of(training)
    step = make_step(nnx.graphdef(training), state)
    losses: list[float] = []
    for index, tokens in zip(range(STEPS), batches(), strict=False):
        state, loss = step(state, tokens)
        if index % 20 == 0 or index == STEPS - 1:
            losses.append(log(index, loss, state))
    assert losses[-1] < losses[0] / 2, losses
    return state


# -- What is caught ------------------------------------------------------------------------------


def caught(title: str, call: Any) -> None:
    try:
        call()
    except (StateTypeError, SchemaError) as error:
        head, *lines = str(error).partition("\nsignature:")[0].splitlines()
        more = [f"  ... and {len(lines) - 4} lines more"] * (len(lines) > 4)
        print(f"\n{title}\n{head}", *lines[:4], *more, sep="\n")
        return
    raise SystemExit(f"{title}: nothing was caught")


def lost_moment(state: Any) -> None:
    """One of Adam's moments was restored without its sharding."""

    def restore(path: tuple[Any, ...], leaf: Any) -> Any:
        lost = path[-6:] == (0, "mu", "blocks", 1, "up", "kernel")
        return jax.device_put(leaf, NamedSharding(MESH, P())) if lost else leaf

    log(STEPS, jnp.zeros(()), nnx.map_state(restore, state))


def odd_width() -> None:
    """A width that four devices can't divide, found before anything is allocated."""
    there = {"*.bias": True, "*.scale": True}
    shardings(Model, MESH, d=30, hidden=64, vocab=32, layers=2, choices=there)


def main() -> None:
    state = train()
    swapped = BY_HAND | {"up.kernel": P("tensor", "fsdp")}
    caught("Two axes swapped in the table written by hand:", partial(by_hand, state, swapped))
    too_many = BY_HAND | {"head.bias": P("fsdp", "tensor")}
    caught("A bias with the names of its kernel:", partial(by_hand, state, too_many))
    caught("A moment that is not where it belongs:", partial(lost_moment, state))
    caught("A width that the mesh can't divide:", odd_width)


if __name__ == "__main__":
    main()
