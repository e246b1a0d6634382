"""Recognises Flax's own layers in observed trees: each is a class of `typedstate.layers`.

`drafting` calls it. A module is recognised by its class, a branch without module (of a state, of a
checkpoint) by its keys. In both cases the class's schema must fit the branch.
"""

from __future__ import annotations

from collections.abc import Hashable, Sized
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, TypeGuard

from flax import nnx

from .. import layers
from .._spec.dims import Dim, VariadicDim
from .._spec.nodes import (
    Array,
    Leaf,
    Node,
    Spec,
    Union,
)
from .._spec.questions import schema_names
from .observe import ArraySeen, BranchSeen, LeafSeen, Seen
from .roles import of_letters
from .text import key_text
from .unification import Sizes, unify

#: By the name of a Flax layer, the schemas that its state may have, the best first.
_PLAIN: Final = {
    "Linear": ("LinearState",),
    "LinearGeneral": ("LinearGeneralState",),
    "Einsum": ("EinsumState",),
    "Conv": ("ConvState",),
    "ConvTranspose": ("ConvTransposeState",),
    "Embed": ("EmbedState",),
    "BatchNorm": ("BatchNormState",),
    "LayerNorm": ("LayerNormState",),
    "GroupNorm": ("GroupNormState",),
    "InstanceNorm": ("InstanceNormState",),
    "RMSNorm": ("RMSNormState",),
    "MultiHeadAttention": ("MultiHeadAttentionState",),
    "PReLU": ("PReLUState",),
    "RoPE": ("RoPEState",),
    "LoRALinear": ("LoRALinearState",),
    "LoRA": ("LoRAState",),
    "LSTMCell": ("LSTMCellState",),
    "OptimizedLSTMCell": ("OptimizedLSTMCellState",),
    "GRUCell": ("GRUCellState",),
    "SimpleCell": ("SimpleCellState",),
    "Dropout": ("DropoutState",),
    "Rngs": ("RngsState",),
    "RngStream": ("RngStreamState",),
}
#: By the name of a module around others, its schema and the keys of its type variables' states.
_AROUND: Final = {
    "LoRA": ("LoRAWithBaseState", ("base_module",)),
    "RNN": ("RNNState", ("cell",)),
    "Bidirectional": ("BidirectionalState", ("forward_rnn", "backward_rnn")),
    "Sequential": ("SequentialState", ("layers",)),
    "EMA": ("EMAState", ("params",)),
    "WeightNorm": ("WeightNormState", ("layer_instance",)),
    "SpectralNorm": ("SpectralNormState", ("layer_instance",)),
}
_HEADS: Final = ("SplitHeadsState", "MergeHeadsState")
#: For branches without module: the keys, one required key, and the schema to try.
_BY_KEYS: Final = (
    ({"kernel", "bias"}, "kernel", ("LinearState", "ConvState")),
    ({"scale", "bias", "mean", "var"}, "mean", ("BatchNormState",)),
    ({"scale", "bias"}, "scale", ("LayerNormState",)),
    ({"embedding"}, "embedding", ("EmbedState",)),
    ({"key", "count"}, "count", ("RngStreamState",)),
    ({"rngs"}, "rngs", ("DropoutState",)),
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A recognised Flax layer.

    Attributes:
      schema: the layer's class in the catalogue.
      sizes: the sizes of the schema's dims, in their order; None for a dim of an absent leaf.
      runs: the sizes of its runs of axes, such as ``*window``, of leaves that are there.
      open: whether a leaf that is there has axes without a name, which fit any sizes.
    """

    schema: Any
    sizes: tuple[tuple[str, int | None], ...]
    runs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    open: bool = False

    @property
    def ranks(self) -> tuple[tuple[str, int], ...]:
        """The number of axes in each run."""
        return tuple((name, len(axes)) for name, axes in self.runs)


@dataclass(frozen=True, slots=True)
class Around:
    """A recognised Flax module around others, e.g. ``nnx.RNN``.

    Attributes:
      schema: the module's class in the catalogue, which is generic.
      keys: the keys of the states that replace its type variables, in their order.
    """

    schema: Any
    keys: tuple[str, ...]


def layer_of(branch: BranchSeen, key: Hashable) -> Layer | None:
    """The Flax layer of a branch; None if it is no Flax layer, or one that was changed."""
    one = replace(branch, stacked=None)
    for name in _candidates(branch, key):
        schema = getattr(layers, name)
        spec = _spec(schema)
        sizes: Sizes = {}
        if unify(spec, one, sizes):
            return Layer(schema, *_named(spec, sizes), _is_open(spec, branch))
    return None


def around_of(branch: BranchSeen) -> Around | None:
    """The Flax module around others of a branch; None if it is none."""
    name = _flax_name(branch.cls)
    found = _AROUND.get(name) if name else None
    if found is None or not set(found[1]) <= branch.items.keys():
        return None
    return Around(getattr(layers, found[0]), found[1])


def is_flax_layer(cls: type | None) -> bool:
    """Whether a module's class is a layer of Flax that the catalogue has."""
    return _flax_name(cls) is not None


def is_convolution(cls: type | None) -> bool:
    """Whether a module's class is one of Flax's convolutions."""
    return _flax_name(cls) in ("Conv", "ConvTranspose")


def takes_any_rank(cls: type | None) -> bool:
    """Whether the number of axes of a layer's weight says nothing."""
    return _flax_name(cls) in ("Einsum", "LinearGeneral")


def is_container(cls: type | None) -> bool:
    """Whether a class is a mere container of modules, such as ``nnx.List``."""
    names = ("List", "Dict", "Sequential")
    found = tuple(getattr(nnx, name) for name in names if hasattr(nnx, name))
    return cls is not None and issubclass(cls, (*found, list, tuple, dict))


@cache
def _flax_name(cls: type | None) -> str | None:
    """The name of the Flax layer that a class is or inherits from."""
    for base in () if cls is None else cls.__mro__:
        name = base.__name__
        if (name in _PLAIN or name in _AROUND) and getattr(nnx, name, None) is base:
            return name
    return None


def _candidates(branch: BranchSeen, key: Hashable) -> tuple[str, ...]:
    name = _flax_name(branch.cls)
    if name == "LinearGeneral":
        ranks = tuple(
            _count(getattr(branch.node, side, ())) for side in ("in_features", "out_features")
        )
        heads: dict[tuple[int, ...], tuple[str, ...]] = {
            (1, 2): _HEADS[:1],
            (2, 1): _HEADS[1:],
            (1, 1): ("LinearState",),
        }
        return (*heads.get(ranks, ()), *_PLAIN[name])
    if name == "Einsum":
        return _of_equation(branch)
    if name is not None:
        return _PLAIN.get(name, ())
    if branch.cls is not None and issubclass(branch.cls, nnx.Module):
        return ()
    keys = branch.items.keys()
    for known, needed, names in _BY_KEYS:
        if needed in keys and keys <= known:
            if needed == "kernel" and _rank(branch.items["kernel"]) == 3:
                return {"out": _HEADS[1:]}.get(key_text(key), _attention(key))
            return names
    return ("MultiHeadAttentionState",) if {"query", "key", "value", "out"} <= keys else ()


def _of_equation(branch: BranchSeen) -> tuple[str, ...]:
    """The catalogue classes for an einsum, by whether it splits heads, merges them, or neither."""
    equation = getattr(branch.node, "einsum_str", None)
    kernel = branch.items.get("kernel")
    if not isinstance(equation, str) or kernel is None:
        return _PLAIN["Einsum"]
    roles = of_letters(equation, _rank(kernel))
    if roles is None:
        return _PLAIN["Einsum"]
    kinds = tuple(role.kind for role in roles)
    match kinds:
        case (("stream" | "in"), ("heads" | "kv_heads"), "head_dim"):
            return _HEADS[:1]
        case ("heads", "head_dim", ("stream" | "out")):
            return _HEADS[1:]
        case (("stream" | "in" | "hidden"), ("out" | "stream" | "hidden" | "vocab")):
            return ("LinearState",)
        case _:
            return ()


def _count(features: Any) -> int:
    """The number of axes that the features of a layer have: one if they are a plain size."""
    return len(features) if isinstance(features, Sized) else 1


def _attention(key: Hashable) -> tuple[str, ...]:
    return _HEADS[:1] if key in ("query", "key", "value") else ("ConvState",)


def _rank(seen: Seen) -> int:
    shaped = isinstance(seen, LeafSeen) and isinstance(seen.value, ArraySeen)
    return len(seen.value.shape) if shaped else -1  # type: ignore[union-attr]


def _spec(schema: Any) -> Spec:
    spec: Spec = schema.__typedstate_spec__()
    return spec


def _named(
    spec: Spec, sizes: Sizes
) -> tuple[tuple[tuple[str, int | None], ...], tuple[tuple[str, tuple[int, ...]], ...]]:
    """The sizes of a schema's dims, and those of its runs of axes."""
    if not isinstance(spec, Node):
        return (), ()
    schema = spec.ref.resolve()
    runs = {dim.name for field in schema.fields for dim in _dims_of(field.spec) if _is_run(dim)}
    single: list[tuple[str, int | None]] = []
    several: list[tuple[str, tuple[int, ...]]] = []
    for name in schema_names(schema):
        if name not in runs:
            single.append((name, sizes.get(name)))
        elif name in sizes:
            several.append((name, sizes[name]))
    return tuple(single), tuple(several)


def _is_open(spec: Spec, branch: BranchSeen) -> bool:
    """Whether a leaf that is there has an axis that no name reaches."""
    fields = spec.ref.resolve().fields if isinstance(spec, Node) else ()
    there = (field.spec for field in fields if field.key in branch.items)
    return any(_is_free(dim) for leaf in there for dim in _dims_of(leaf))


def _is_run(dim: Dim) -> TypeGuard[VariadicDim]:
    return isinstance(dim, VariadicDim) and dim.name is not None


def _is_free(dim: Dim) -> bool:
    return dim.name is None if isinstance(dim, VariadicDim) else dim.expr is None


@cache
def _dims_of(spec: Spec) -> tuple[Dim, ...]:
    """The dims of a leaf's arrays."""
    match spec:
        case Array(shape=shape):
            return shape or ()
        case Leaf(value=value):
            return _dims_of(value)
        case Union(options):
            return tuple(dim for option in options for dim in _dims_of(option))
        case _:
            return ()
