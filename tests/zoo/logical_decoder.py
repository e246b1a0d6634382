"""Models in the shape of MaxText's: numbered attributes, logical axis names, layers on axis 1."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx


def weight(*axes: tuple[str, int], rank: int | None = None) -> Any:
    """A Param whose axes have logical names; only the first `rank` of them, if it is given."""
    names = tuple(name for name, _ in axes)[:rank]
    value = jnp.zeros([size for _, size in axes])
    return nnx.Param(value, sharding=names, eager_sharding=False)


class DenseGeneral(nnx.Module):
    """A kernel of any number of axes."""

    def __init__(self, *axes: tuple[str, int], rank: int | None = None) -> None:
        self.kernel = weight(*axes, rank=rank)


class RMSNorm(nnx.Module):
    """A norm with a scale alone."""

    def __init__(self, d: int) -> None:
        self.scale = weight(("norm", d))


class Attention(nnx.Module):
    """Grouped heads; the attributes are set by methods, in another order than they are written."""

    def __init__(self, d: int, heads: int, kv_heads: int, head_dim: int, *, sinks: bool) -> None:
        self.query = self.split("q_heads", d, heads, head_dim)
        self._keys_and_values(d, kv_heads, head_dim)
        self.out = DenseGeneral(("heads", heads), ("kv", head_dim), ("embed", d))
        if sinks:
            self.sinks = nnx.Param(jnp.zeros(heads))

    def split(self, name: str, d: int, heads: int, head_dim: int) -> DenseGeneral:
        return DenseGeneral(("embed", d), (name, heads), ("kv", head_dim))

    def _keys_and_values(self, d: int, kv_heads: int, head_dim: int) -> None:
        self.key = self.split("kv_heads", d, kv_heads, head_dim)
        self.value = self.split("kv_heads", d, kv_heads, head_dim)


class MlpBlock(nnx.Module):
    """One layer for each activation, then dropout, then the way back."""

    def __init__(self, d: int, hidden: int, rngs: nnx.Rngs) -> None:
        for index in range(2):
            setattr(self, f"wi_{index}", DenseGeneral(("embed", d), ("mlp", hidden)))
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.wo = DenseGeneral(("mlp", hidden), ("embed", d))


class RoutedMoE(nnx.Module):
    """Experts, and a gate that chooses among them."""

    def __init__(self, d: int, hidden: int, experts: int) -> None:
        self.gate = DenseGeneral(("embed_moe", d), ("", experts), rank=1)
        into = (("exp", experts), ("embed_moe", d), ("mlp_moe", hidden))
        self.wi_0, self.wi_1 = weight(*into), weight(*into)
        self.wo = weight(("exp", experts), ("mlp_moe", hidden), ("embed_moe", d))


class DecoderLayer(nnx.Module):
    """A layer with an MLP, or with experts."""

    def __init__(self, rngs: nnx.Rngs, *, experts: int = 0, sinks: bool = False) -> None:
        self.pre_norm = RMSNorm(16)
        self.attention = Attention(16, 4, 2, 6, sinks=sinks)
        if experts:
            self.moe_block = RoutedMoE(16, 24, experts)
        else:
            self.mlp = MlpBlock(16, 40, rngs)


class Decoder(nnx.Module):
    """Layers under numbered attributes; first some dense ones, if there are experts."""

    def __init__(
        self, layers: int = 3, dense: int = 0, *, experts: int = 0, rngs: nnx.Rngs
    ) -> None:
        self.position_embedder = Embed(8, 16)
        self.norm = RMSNorm(16)
        self.logits_dense = DenseGeneral(("embed_vocab", 16), ("vocab", 31))
        for index in range(dense):
            self.register("dense_layers", index, DecoderLayer(rngs))
        name = "moe_layers" if experts else "layers"
        for index in range(layers):
            self.register(name, index, DecoderLayer(rngs, experts=experts))

    def register(self, name: str, index: int, layer: nnx.Module) -> None:
        setattr(self, f"{name}_{index}", layer)


class Embed(nnx.Module):
    """A table of the user's own, for tokens or for positions."""

    def __init__(self, rows: int, d: int) -> None:
        self.embedding = weight(("vocab", rows), ("embed", d))


class Transformer(nnx.Module):
    """Tokens, and a decoder."""

    def __init__(self, layers: int = 3, *, rngs: nnx.Rngs, **options: Any) -> None:
        self.token_embedder = Embed(31, 16)
        self.decoder = Decoder(layers, rngs=rngs, **options)


class ScannedDecoder(nnx.Module):
    """Layers that are one stack: Params on their second axis, which metadata names, streams on
    their first.
    """

    def __init__(self, layers: int = 5, *, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=layers)
        @nnx.vmap(
            in_axes=(0,),
            out_axes=nnx.StateAxes({nnx.Param: 1, ...: 0}),
            transform_metadata={nnx.PARTITION_NAME: "layers"},
        )
        def make(inner: nnx.Rngs) -> DecoderLayer:
            return DecoderLayer(inner)

        self.norm = RMSNorm(16)
        self.layers = make(rngs)
