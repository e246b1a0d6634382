"""Real NNX models of tiny sizes, each with a schema written by hand, and what tests make of them.

* Here: `ZOO`, one model of each kind. The names of `layers` and `trees` are imported from here.
* `layers`: schemas of single layers.
* `trees`: leaves, states, lists and dicts as the installed Flax holds them.
* `blocks`: models that Flax's transforms build, or that gather leaves as they run.
* `transformed`: what Flax and JAX make of a model, beside the form that says so.
* `tower`, `decoder`, `net`: deep models to count, to train and to store.
* `published`, `logical_decoder`: models in the shape of public ones, without schemas, for `infer`.
* `meshes`, `sharded_transformer`: meshes, and a model that is split over one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, UInt32

from tests.zoo.layers import (
    BatchNormState as BatchNormState,
    ConvState as ConvState,
    DenseState as DenseState,
    DropoutState as DropoutState,
    EmbedState as EmbedState,
    HeadsState as HeadsState,
    KernelState as KernelState,
    LinearState as LinearState,
    LoraLinearState as LoraLinearState,
    LoraState as LoraState,
    LstmState as LstmState,
    NormState as NormState,
    OutState as OutState,
    ScaleState as ScaleState,
    StreamsState as StreamsState,
    StreamState as StreamState,
)
from tests.zoo.trees import (
    HAS_VARIABLE_STATE as HAS_VARIABLE_STATE,
    as_dict as as_dict,
    data as data,
    dict_of as dict_of,
    leaf as leaf,
    list_of as list_of,
    named as named,
    state as state,
    stored as stored,
)
from typedstate import (
    Alias,
    Bind,
    Entries,
    Like,
    Only,
    Shared,
    Stacked,
    StateMap,
    StateOf,
    TypedState,
)

# -- Schemas -------------------------------------------------------------------------------


class MlpState(TypedState):
    up: Bind[LinearState, "din=d dout=hidden"]
    down: Bind[LinearState, "din=hidden dout=d"]


class ConvNetState(TypedState):
    conv: Bind[ConvState, "cin=c cout=f"]
    norm: Bind[BatchNormState, "d=f"]
    drop: DropoutState
    head: Bind[LinearState, "din=f dout=classes"]


class UncachedAttentionState(TypedState):
    query: Bind[HeadsState, "d heads hd"]
    key: Bind[HeadsState, "d heads hd"]
    value: Bind[HeadsState, "d heads hd"]
    out: Bind[OutState, "d heads hd"]


class AttentionState(UncachedAttentionState):
    cached_key: nnx.Cache[Float[Array, "*batch time heads hd"]] | None
    cached_value: nnx.Cache[Float[Array, "*batch time heads hd"]] | None
    cache_index: nnx.Cache[Int[Array, ""]] | None


class StackState(TypedState):
    layers: Bind[StateMap[int, Bind[MlpState, "d"]], "len=depth"] | None
    empty: StateMap[int, LinearState] | None
    heads: StateMap[str, Bind[LinearState, "din=d"]]


class SequentialState(TypedState):
    layers: Entries[Bind[LinearState, "din dout=d"], None, Bind[NormState, "d"]]


class TiedState(TypedState):
    embed: StateOf[nnx.Param[Float[Array, "vocab d"]]]
    head: Annotated[nnx.Param[Float[Array, "vocab d"]], Shared("embed.embedding")]
    scale: Float[Array, "d"]


class StackedState(TypedState):
    blocks: Stacked[Bind[MlpState, "d hidden"], "layers"]


class AdamState(TypedState):
    count: Annotated[nnx.OptState, Int[Array, ""]]
    mu: Like[Only[Bind[MlpState, "d hidden"], nnx.Param], nnx.OptState]
    nu: Like[Only[Bind[MlpState, "d hidden"], nnx.Param], nnx.OptState]


class OptimizerState(TypedState):
    step: Annotated[nnx.OptState, UInt32[Array, ""]]
    opt_state: Entries[Bind[AdamState, "d hidden"], None]
    model: Bind[MlpState, "d hidden"] | None  # up to Flax 0.10


class ClippedState(TypedState):
    step: Annotated[nnx.OptState, UInt32[Array, ""]]
    opt_state: Entries[None, Entries[Bind[AdamState, "d hidden"], None, None]]
    model: Bind[MlpState, "d hidden"] | None  # up to Flax 0.10


class MomentumState(TypedState):
    trace: Like[Only[Bind[MlpState, "d hidden"], nnx.Param], nnx.OptState]


class MomentumOptimizerState(TypedState):
    step: Annotated[nnx.OptState, UInt32[Array, ""]]
    opt_state: Entries[Bind[MomentumState, "d hidden"], None]
    model: Bind[MlpState, "d hidden"] | None  # up to Flax 0.10


class NamesState(TypedState):
    values_: Annotated[nnx.Param[Float[Array, "n"]], Alias("values")]
    items_: Annotated[StateMap[str, nnx.Param[Float[Array, "n"]]], Alias("items")]


# -- Modules -------------------------------------------------------------------------------


class Mlp(nnx.Module):
    """Two layers, up and down."""

    def __init__(self, d: int, hidden: int, *, use_bias: bool = True, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(d, hidden, use_bias=use_bias, rngs=rngs)
        self.down = nnx.Linear(hidden, d, use_bias=use_bias, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.down(jax.nn.relu(self.up(x)))


class ConvNet(nnx.Module):
    """A convolution, a batch norm, a dropout and a head."""

    def __init__(self, c: int, f: int, classes: int, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(c, f, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(f, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(dropout=0))
        self.head = nnx.Linear(f, classes, rngs=rngs)


class Stack(nnx.Module):
    """A list of MLPs, an empty list, and a dict of heads."""

    def __init__(self, d: int, hidden: int, depth: int, rngs: nnx.Rngs) -> None:
        self.layers = list_of([Mlp(d, hidden, rngs=rngs) for _ in range(depth)])
        self.empty = list_of([])
        self.heads = dict_of({"a": nnx.Linear(d, 5, rngs=rngs), "b": nnx.Linear(d, 7, rngs=rngs)})


class Embedding(nnx.Module):
    """A table that is one Param."""

    def __init__(self, vocab: int, d: int, rngs: nnx.Rngs) -> None:
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (vocab, d)))


class Tied(nnx.Module):
    """A head that is the embedding again, and an array without a Variable."""

    def __init__(self, vocab: int, d: int, rngs: nnx.Rngs) -> None:
        self.embed = Embedding(vocab, d, rngs)
        self.head = self.embed.embedding
        self.scale = data(jnp.ones(d))


class Blocks(nnx.Module):
    """MLPs that are one stack, as ``nnx.vmap`` makes it."""

    def __init__(self, d: int, hidden: int, layers: int, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=layers)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def make(inner: nnx.Rngs) -> Mlp:
            return Mlp(d, hidden, rngs=inner)

        self.blocks = make(rngs)


class Names(nnx.Module):
    """Attributes that State has as methods."""

    def __init__(self, n: int) -> None:
        self.values = nnx.Param(jnp.ones(n))
        self.items = dict_of({"x": nnx.Param(jnp.ones(n)), "y": nnx.Param(jnp.ones(n))})


def attention(decode: bool) -> nnx.MultiHeadAttention:
    module = nnx.MultiHeadAttention(2, 8, decode=decode, rngs=nnx.Rngs(0))
    if decode:
        module.init_cache((3, 5, 8))
    return module


def optimizer(tx: optax.GradientTransformation) -> nnx.Optimizer[Any]:
    return nnx.Optimizer(Mlp(2, 3, rngs=nnx.Rngs(0)), tx, wrt=nnx.Param)


@dataclass(frozen=True)
class Animal:
    """A model of the zoo.

    Attributes:
      name: for test ids.
      make: makes it anew.
      schema: what its state is.
      dims: the sizes of the schema's names.
    """

    name: str
    make: Callable[[], Any]
    schema: type[TypedState]
    dims: dict[str, Any]


ZOO = (
    Animal(
        "dense",
        lambda: nnx.Linear(2, 3, rngs=nnx.Rngs(0)),
        LinearState,
        {"din": 2, "dout": 3},
    ),
    Animal(
        "dense without bias",
        lambda: nnx.Linear(2, 3, use_bias=False, rngs=nnx.Rngs(0)),
        LinearState,
        {"din": 2, "dout": 3},
    ),
    Animal("mlp", lambda: Mlp(2, 3, rngs=nnx.Rngs(0)), MlpState, {"d": 2, "hidden": 3}),
    Animal(
        "convnet",
        lambda: ConvNet(1, 2, 4, nnx.Rngs(0)),
        ConvNetState,
        {"c": 1, "f": 2, "classes": 4},
    ),
    Animal(
        "attention",
        lambda: attention(decode=False),
        AttentionState,
        {"d": 8, "heads": 2, "hd": 4},
    ),
    Animal(
        "attention with cache",
        lambda: attention(decode=True),
        AttentionState,
        {"d": 8, "heads": 2, "hd": 4, "batch": (3,), "time": 5},
    ),
    Animal("stack", lambda: Stack(2, 3, 2, nnx.Rngs(0)), StackState, {"d": 2, "depth": 2}),
    Animal("shallow stack", lambda: Stack(2, 3, 0, nnx.Rngs(0)), StackState, {"d": 2}),
    Animal(
        "sequential",
        lambda: nnx.Sequential(
            nnx.Linear(2, 3, rngs=nnx.Rngs(0)), jax.nn.relu, nnx.LayerNorm(3, rngs=nnx.Rngs(0))
        ),
        SequentialState,
        {"din": 2, "d": 3},
    ),
    Animal(
        "lora",
        lambda: nnx.LoRALinear(4, 3, lora_rank=2, rngs=nnx.Rngs(0)),
        LoraLinearState,
        {"din": 4, "dout": 3, "r": 2},
    ),
    Animal(
        "recurrent",
        lambda: nnx.LSTMCell(3, 4, rngs=nnx.Rngs(0)),
        LstmState,
        {"d": 3, "h": 4},
    ),
    Animal("tied", lambda: Tied(5, 3, nnx.Rngs(0)), TiedState, {"vocab": 5, "d": 3}),
    Animal(
        "vmapped",
        lambda: Blocks(2, 3, 4, nnx.Rngs(0)),
        StackedState,
        {"d": 2, "hidden": 3, "layers": 4},
    ),
    Animal("adam", lambda: optimizer(optax.adam(1e-3)), OptimizerState, {"d": 2, "hidden": 3}),
    Animal(
        "clipped adamw",
        lambda: optimizer(optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))),
        ClippedState,
        {"d": 2, "hidden": 3},
    ),
    Animal(
        "momentum",
        lambda: optimizer(optax.sgd(0.1, momentum=0.9)),
        MomentumOptimizerState,
        {"d": 2, "hidden": 3},
    ),
    Animal("names", lambda: Names(3), NamesState, {"n": 3}),
)
