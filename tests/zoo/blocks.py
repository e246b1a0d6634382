"""Models of the zoo that are built by Flax's transforms, or that gather leaves as they run."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from tests.zoo import (
    Animal,
    BatchNormState,
    ConvNet,
    ConvNetState,
    KernelState,
    LinearState,
    Mlp,
    MlpState,
    StreamState,
)
from typedstate import Axis, Bind, Plus, Stacked, StateMap, TypedState

#: Where an axis goes: Params get it second, all else first.
AXES = nnx.StateAxes({nnx.Param: 1, ...: 0})


class ExpertsState(TypedState):
    router: Bind[LinearState, "din=d dout=experts"]
    experts: Stacked[Bind[MlpState, "d hidden"], "experts"]


class BlockState(TypedState):
    mlp: Bind[MlpState, "d hidden"]
    norm: Bind[BatchNormState, "d"]
    noise: StreamState


class ScannedState(TypedState):
    blocks: Stacked[
        Stacked[Bind[BlockState, "d hidden"], "layers", Axis(1), nnx.Param],
        "layers",
        nnx.Not(nnx.Param),
    ]
    head: Bind[LinearState, "din=d dout=classes"]


class GruState(TypedState):
    dense_i: Bind[LinearState, "din dout=3*hidden"]
    dense_h: Bind[KernelState, "din=hidden dout=3*hidden"]
    rngs: StateMap[str, StreamState] | None  # up to Flax 0.10


class RecurrentState(TypedState):
    rnn: Bind[RnnState, "din=d hidden"]
    head: Bind[LinearState, "din=hidden dout=d"]


class RnnState(TypedState):
    cell: Bind[GruState, "din hidden"]
    rngs: StateMap[str, StreamState] | StreamState | None  # up to Flax 0.10


class Experts(nnx.Module):
    """A dense mixture: every expert sees every token."""

    def __init__(self, d: int, hidden: int, experts: int, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=experts)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def make(inner: nnx.Rngs) -> Mlp:
            return Mlp(d, hidden, rngs=inner)

        self.router = nnx.Linear(d, experts, rngs=rngs)
        self.experts = make(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        gates = jax.nn.softmax(self.router(x))
        each = nnx.vmap(lambda expert, tokens: expert(tokens), in_axes=(0, None), out_axes=0)
        return jnp.einsum("ebd,be->bd", each(self.experts, x), gates)


class Block(nnx.Module):
    """An MLP with batch norm, noise and a residual."""

    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.mlp = Mlp(d, hidden, rngs=rngs)
        self.norm = nnx.BatchNorm(d, rngs=rngs)
        self.noise = nnx.Rngs(noise=0).noise

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.norm(self.mlp(x)) + jax.random.normal(self.noise(), x.shape)


class Scanned(nnx.Module):
    """Blocks as ``nnx.scan`` runs them, Params stacked on the second axis, after one call."""

    def __init__(self, d: int, hidden: int, layers: int, classes: int, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=layers)
        @nnx.vmap(in_axes=(0,), out_axes=AXES)
        def make(inner: nnx.Rngs) -> Block:
            return Block(d, hidden, inner)

        self.blocks = make(rngs)
        self.head = nnx.Linear(d, classes, rngs=rngs)
        self(jnp.ones((2, d)))

    def __call__(self, x: jax.Array) -> jax.Array:
        def one(x: jax.Array, block: Block) -> jax.Array:
            return block(x)

        scanned = nnx.scan(one, in_axes=(nnx.Carry, AXES), out_axes=nnx.Carry)
        return self.head(scanned(x, self.blocks))


class Recurrent(nnx.Module):
    """A GRU under ``nnx.RNN``, and a head."""

    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.rnn = nnx.RNN(nnx.GRUCell(d, hidden, rngs=rngs))
        self.head = nnx.Linear(hidden, d, rngs=rngs)


class Sowing(nnx.Module):
    """A convolutional network that has sown what it saw, and one LoRA beside its kernel."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.net = ConvNet(1, 2, 4, rngs)
        self.net.conv.kernel_lora = nnx.LoRA(2, 1, 2, rngs=rngs)
        self.net.head.sow(nnx.Intermediate, "seen", jnp.ones((5, 2)))
        self.net.sow(nnx.Intermediate, "seen", jnp.ones(3))


class SowingState(TypedState):
    net: Plus[Bind[ConvNetState, "c f classes"], nnx.LoRAParam, nnx.Intermediate]


BLOCKS = (
    Animal(
        "mixture of experts",
        lambda: Experts(2, 3, 4, nnx.Rngs(0)),
        ExpertsState,
        {"d": 2, "hidden": 3, "experts": 4},
    ),
    Animal(
        "scanned blocks",
        lambda: Scanned(2, 3, 4, 5, nnx.Rngs(0)),
        ScannedState,
        {"d": 2, "hidden": 3, "layers": 4, "classes": 5},
    ),
    Animal(
        "rnn",
        lambda: Recurrent(2, 3, nnx.Rngs(0)),
        RecurrentState,
        {"d": 2, "hidden": 3},
    ),
    Animal(
        "sowing",
        lambda: Sowing(nnx.Rngs(0)),
        SowingState,
        {"c": 1, "f": 2, "classes": 4},
    ),
)
