"""A small transformer, sharded by logical axis names, its blocks scanned over their second axis.

The names stand in the metadata, and rules give them a place on the mesh, as large training code
has it. Model and optimizer are one state.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from flax.nnx.training.optimizer import OptState
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jaxtyping import Array, Float, UInt32

from tests.zoo.meshes import rules_of, set_mesh
from typedstate import Axis, Bind, Only, Stacked, TypedState
from typedstate.layers import AdamState

VOCAB, WIDTH, HEADS, HIDDEN, LAYERS = 24, 16, 2, 32, 3
RULES = (
    ("vocab", "tensor"),
    ("embed", "fsdp"),
    ("heads", "tensor"),
    ("kv", None),
    ("mlp", "tensor"),
    ("norm", None),
    ("layers", None),
)

# -- The declaration -----------------------------------------------------------------------------


class NormState(TypedState):
    scale: Annotated[nnx.Param[Float[Array, "d"]], P("norm")]


class HeadsState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "d heads hd"]], P("embed", "heads", "kv")]


class OutState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "heads hd d"]], P("heads", "kv", "embed")]


class AttentionState(TypedState):
    query: Bind[HeadsState, "d heads hd"]
    key: Bind[HeadsState, "d heads hd"]
    value: Bind[HeadsState, "d heads hd"]
    out: Bind[OutState, "d heads hd"]


class BlockState(TypedState):
    norm1: Bind[NormState, "d"]
    attention: Bind[AttentionState, "d heads"]
    norm2: Bind[NormState, "d"]
    up: Annotated[nnx.Param[Float[Array, "d hidden"]], P("embed", "mlp")]
    down: Annotated[nnx.Param[Float[Array, "hidden d"]], P("mlp", "embed")]


class TransformerState(TypedState):
    embedding: Annotated[nnx.Param[Float[Array, "vocab d"]], P("vocab", "embed")]
    blocks: Stacked[Bind[BlockState, "d heads hidden"], "layers", Axis(1, "layers"), nnx.Param]
    norm: Bind[NormState, "d"]


class TrainingState(TypedState):
    step: Annotated[OptState, UInt32[Array, ""]]
    opt_state: AdamState[Only[TransformerState, nnx.Param]]
    model: Bind[TransformerState, "vocab d heads hidden layers"]


# -- The model -----------------------------------------------------------------------------------

_init = nnx.initializers.lecun_normal()
_ones = nnx.initializers.ones
_by_block = nnx.StateAxes({nnx.Param: 1, ...: 0})
_named = {nnx.PARTITION_NAME: "layers"}


def _param(rngs: nnx.Rngs, init: Any, shape: tuple[int, ...], *names: str) -> nnx.Param[jax.Array]:
    return nnx.Param(nnx.with_partitioning(init, names)(rngs.params(), shape, jnp.float32))


def value_of(leaf: Any) -> Any:
    """What a leaf holds, on every Flax."""
    return leaf.get_value() if hasattr(leaf, "get_value") else leaf.value


class Norm(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.scale = _param(rngs, _ones, (WIDTH,), "norm")

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.standardize(x) * value_of(self.scale)


class Heads(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.kernel = _param(rngs, _init, (WIDTH, HEADS, WIDTH // HEADS), "embed", "heads", "kv")


class Out(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.kernel = _param(rngs, _init, (HEADS, WIDTH // HEADS, WIDTH), "heads", "kv", "embed")


class Attention(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.query, self.key, self.value = Heads(rngs), Heads(rngs), Heads(rngs)
        self.out = Out(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        parts = (self.query, self.key, self.value)
        heads = [jnp.einsum("btd,dhk->bthk", x, value_of(part.kernel)) for part in parts]
        mixed = jax.nn.dot_product_attention(*heads, is_causal=True)
        return jnp.einsum("bthk,hkd->btd", mixed, value_of(self.out.kernel))


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm1, self.norm2 = Norm(rngs), Norm(rngs)
        self.attention = Attention(rngs)
        self.up = _param(rngs, _init, (WIDTH, HIDDEN), "embed", "mlp")
        self.down = _param(rngs, _init, (HIDDEN, WIDTH), "mlp", "embed")

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.norm1(x))
        return x + nnx.gelu(self.norm2(x) @ value_of(self.up)) @ value_of(self.down)


class Transformer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=LAYERS)
        @nnx.vmap(in_axes=(0,), out_axes=_by_block, transform_metadata=_named)
        def blocks(inner: nnx.Rngs) -> Block:
            return Block(inner)

        self.embedding = _param(rngs, _init, (VOCAB, WIDTH), "vocab", "embed")
        self.blocks = blocks(rngs)
        self.norm = Norm(rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        @nnx.scan(in_axes=(_by_block, nnx.Carry), out_axes=nnx.Carry, transform_metadata=_named)
        def run(block: Block, x: jax.Array) -> jax.Array:
            return block(x)

        table = value_of(self.embedding)
        return self.norm(run(self.blocks, table[tokens])) @ table.T


def new_training() -> Any:
    """The model with its optimizer: one graph node on every Flax."""
    optimizer: Any = getattr(nnx, "ModelAndOptimizer", nnx.Optimizer)
    return optimizer(Transformer(nnx.Rngs(0)), optax.adam(1e-2), wrt=nnx.Param)


def abstract_training(mesh: Mesh) -> tuple[Any, Any]:
    """Graphdef and abstract state of the training, every leaf with its sharding."""
    with set_mesh(mesh), rules_of(RULES):
        graphdef, state = nnx.split(nnx.eval_shape(new_training))
        named: Any = nnx.get_named_sharding(state, mesh)
    placed = jax.tree.map(
        lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), state, named
    )
    return graphdef, placed


def batch(mesh: Mesh) -> jax.Array:
    """Tokens that count up, split over the rows."""
    tokens = (jnp.arange(8)[:, None] + jnp.arange(9)) % VOCAB
    return jax.device_put(tokens, NamedSharding(mesh, P("fsdp")))


def loss_of(model: Any, tokens: jax.Array) -> jax.Array:
    """Of the next token."""
    logits = model(tokens[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()
