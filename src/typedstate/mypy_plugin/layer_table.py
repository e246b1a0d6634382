"""The state of each of Flax's layers, by attribute; written by ``scripts/layer_table.py``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: The attributes that have a state, and what may stand there: Variable classes, "array" for a raw
#: one, "rngs" for streams, "any" for what depends on the construction, "" where it may be None.
LAYERS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "flax.nnx.nn.normalization.BatchNorm": {
            "scale": ("flax.nnx.variablelib.Param", ""),
            "bias": ("flax.nnx.variablelib.Param", ""),
            "mean": ("flax.nnx.variablelib.BatchStat",),
            "var": ("flax.nnx.variablelib.BatchStat",),
        },
        "flax.nnx.nn.recurrent.Bidirectional": {
            "forward_rnn": ("any",),
            "backward_rnn": ("any",),
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.linear.Conv": {
            "kernel": ("flax.nnx.variablelib.Param",),
            "bias": ("flax.nnx.variablelib.Param", ""),
            "mask": ("array", ""),
        },
        "flax.nnx.nn.linear.ConvTranspose": {
            "kernel": ("flax.nnx.variablelib.Param",),
            "bias": ("flax.nnx.variablelib.Param", ""),
            "mask": ("array", ""),
        },
        "flax.nnx.nn.stochastic.Dropout": {
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.linear.Einsum": {
            "kernel": ("flax.nnx.variablelib.Param",),
            "bias": ("flax.nnx.variablelib.Param", ""),
        },
        "flax.nnx.nn.linear.Embed": {
            "embedding": ("flax.nnx.variablelib.Param",),
        },
        "flax.nnx.nn.recurrent.GRUCell": {
            "dense_i": ("any",),
            "dense_h": ("any",),
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.normalization.GroupNorm": {
            "scale": ("flax.nnx.variablelib.Param", ""),
            "bias": ("flax.nnx.variablelib.Param", ""),
        },
        "flax.nnx.nn.normalization.InstanceNorm": {
            "scale": ("flax.nnx.variablelib.Param", ""),
            "bias": ("flax.nnx.variablelib.Param", ""),
        },
        "flax.nnx.nn.recurrent.LSTMCell": {
            "ii": ("any",),
            "if_": ("any",),
            "ig": ("any",),
            "io": ("any",),
            "hi": ("any",),
            "hf": ("any",),
            "hg": ("any",),
            "ho": ("any",),
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.normalization.LayerNorm": {
            "scale": ("flax.nnx.variablelib.Param", ""),
            "bias": ("flax.nnx.variablelib.Param", ""),
        },
        "flax.nnx.nn.linear.LinearGeneral": {
            "kernel": ("flax.nnx.variablelib.Param",),
            "bias": ("flax.nnx.variablelib.Param", ""),
        },
        "flax.nnx.nn.linear.Linear": {
            "kernel": ("flax.nnx.variablelib.Param",),
            "bias": ("flax.nnx.variablelib.Param", ""),
        },
        "flax.nnx.nn.lora.LoRALinear": {
            "kernel": ("flax.nnx.variablelib.Param",),
            "bias": ("flax.nnx.variablelib.Param", ""),
            "lora": ("any",),
        },
        "flax.nnx.nn.lora.LoRA": {
            "lora_a": ("flax.nnx.nn.lora.LoRAParam",),
            "lora_b": ("flax.nnx.nn.lora.LoRAParam",),
        },
        "flax.nnx.nn.attention.MultiHeadAttention": {
            "query": ("any",),
            "key": ("any",),
            "value": ("any",),
            "out": ("any",),
            "query_ln": ("any", ""),
            "key_ln": ("any", ""),
            "cached_key": ("flax.nnx.variablelib.Cache", ""),
            "cached_value": ("flax.nnx.variablelib.Cache", ""),
            "cache_index": ("flax.nnx.variablelib.Cache", ""),
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.recurrent.OptimizedLSTMCell": {
            "dense_i": ("any",),
            "dense_h": ("any",),
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.activations.PReLU": {
            "negative_slope": ("flax.nnx.variablelib.Param",),
        },
        "flax.nnx.nn.normalization.RMSNorm": {
            "scale": ("flax.nnx.variablelib.Param", ""),
        },
        "flax.nnx.nn.recurrent.RNN": {
            "cell": ("any",),
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.attention.RoPE": {
            "cached_sin": ("flax.nnx.variablelib.Variable", ""),
            "cached_cos": ("flax.nnx.variablelib.Variable", ""),
        },
        "flax.nnx.helpers.Sequential": {
            "layers": ("any",),
        },
        "flax.nnx.nn.recurrent.SimpleCell": {
            "dense_i": ("any",),
            "dense_h": ("any",),
            "rngs": ("rngs", ""),
        },
        "flax.nnx.nn.normalization.SpectralNorm": {
            "layer_instance": ("any",),
            "batch_stats": ("any", ""),
        },
        "flax.nnx.nn.normalization.WeightNorm": {
            "layer_instance": ("any",),
            "scales": ("any", ""),
        },
    }
)
