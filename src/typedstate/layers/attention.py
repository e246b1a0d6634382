"""Attention. Source: ``flax/nnx/nn/attention.py``."""

from flax import nnx
from jaxtyping import Array, Float, Int

from ..forms import Bind, Exactly
from ..schema.typed_state import TypedState
from .normalization import LayerNormState
from .rng import RngsState, RngStreamState


class SplitHeadsState(TypedState):
    """The state of the ``nnx.LinearGeneral`` that makes queries, keys or values.

    Dims: din, heads, head_dim.
    """

    kernel: nnx.Param[Float[Array, "din heads head_dim"]]
    bias: nnx.Param[Float[Array, "heads head_dim"]] | None


class MergeHeadsState(TypedState):
    """The state of the ``nnx.LinearGeneral`` that brings the heads together again.

    Dims: heads, head_dim, dout.
    """

    kernel: nnx.Param[Float[Array, "heads head_dim dout"]]
    bias: nnx.Param[Float[Array, "dout"]] | None


class RoPEState(TypedState):
    """The state of ``nnx.RoPE`` (Flax 0.12.12): its tables, where sizes were given to build them.

    A module without tables has no leaf, and Flax no key for it. Dims: length (``max_seq_len``),
    frequencies (``embedding_size // 2``).
    """

    cached_sin: Exactly[nnx.Variable[Float[Array, "length frequencies"]]] | None
    cached_cos: Exactly[nnx.Variable[Float[Array, "length frequencies"]]] | None


class MultiHeadAttentionState(TypedState):
    """The state of ``nnx.MultiHeadAttention``, with or without the cache of ``init_cache``.

    Dims: din (``in_features``), dkv (``in_kv_features``), heads, kv_heads (``num_kv_heads``),
    head_dim (``qkv_features // num_heads``), dout (``out_features``); of the cache *batch, length.
    """

    query: Bind[SplitHeadsState, "din heads head_dim"]
    key: Bind[SplitHeadsState, "din=dkv heads=kv_heads head_dim"]
    value: Bind[SplitHeadsState, "din=dkv heads=kv_heads head_dim"]
    out: Bind[MergeHeadsState, "heads head_dim dout"]
    query_ln: Bind[LayerNormState, "features=head_dim"] | None
    key_ln: Bind[LayerNormState, "features=head_dim"] | None
    cached_key: nnx.Cache[Float[Array, "*batch length kv_heads head_dim"]] | None
    cached_value: nnx.Cache[Float[Array, "*batch length kv_heads head_dim"]] | None
    cache_index: nnx.Cache[Int[Array, ""]] | None
    rngs: RngStreamState | RngsState | None
