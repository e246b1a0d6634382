"""The NNX examples of google/flax."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import sys
import typing
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tests.realworld.model import Model, concrete, pick


def of_flax(checkout: Path) -> Iterator[Model]:
    """The NNX examples of google/flax."""
    examples = checkout / "examples"
    sys.path.insert(0, str(examples / "gemma"))
    yield Model("flax gemma", lambda scale: concrete(lambda: _flax_gemma(scale)))
    yield Model("flax gemma with LoRA", lambda scale: concrete(lambda: _flax_lora(scale)))
    toys = examples / "nnx_toy_examples"
    yield Model("flax scanned MLP", lambda scale: concrete(lambda: _scanned(toys, scale)))
    yield Model("flax VAE", lambda scale: concrete(lambda: _flax_vae(toys, scale)))
    yield Model("flax MNIST", lambda scale: concrete(lambda: _flax_mnist(examples, scale)))


def _flax_gemma(scale: int) -> Any:
    cfg: Any = importlib.import_module("transformer_cfg")
    transformer: Any = importlib.import_module("transformer")
    config = dataclasses.replace(
        cfg.TransformerConfig.gemma3_1b(),
        num_layers=pick(scale, 2, 3, 4),
        num_embed=pick(scale, 31, 37, 41),
        embed_dim=pick(scale, 8, 12, 20),
        hidden_dim=pick(scale, 14, 22, 26),
        num_heads=pick(scale, 4, 6, 10),
        head_dim=pick(scale, 16, 18, 24),
        num_kv_heads=pick(scale, 2, 3, 5),
        attention_types=cfg.make_attention_layers_types(
            cfg.GEMMA3_ATTENTION_PATTERN, pick(scale, 2, 3, 4)
        ),
    )
    return transformer.Transformer(config, rngs=nnx.Rngs(0))


def _flax_lora(scale: int) -> Any:
    model = _flax_gemma(scale)
    rank = pick(scale, 3, 5, 7)
    for layer in model.layers:
        wide = layer.mlp.gate_proj.kernel.shape
        layer.mlp.gate_proj = nnx.LoRALinear(*wide, lora_rank=rank, rngs=nnx.Rngs(0))
    return model


def _scanned(toys: Path, scale: int) -> Any:
    found = _names_of(toys / "06_scan_over_layers.py")
    return found["ScanMLP"](pick(scale, 8, 9, 11), n_layers=pick(scale, 5, 6, 7), rngs=nnx.Rngs(0))


def _flax_vae(toys: Path, scale: int) -> Any:
    found = _names_of(toys / "05_vae.py")
    sizes = (pick(scale, 8, 9, 10), pick(scale, 14, 15, 16), pick(scale, 5, 6, 7))
    return found["VAE"](*sizes, pick(scale, (2, 4), (3, 3), (2, 5)), rngs=nnx.Rngs(0))


def _flax_mnist(examples: Path, scale: int) -> Any:
    del scale  # its sizes are fixed
    return _names_of(examples / "mnist" / "train.py")["CNN"](nnx.Rngs(0))


_cached: dict[Path, dict[str, Any]] = {}


def _names_of(path: Path) -> dict[str, Any]:
    """The classes of an example, without the training that its file runs."""
    if path not in _cached:
        tree = ast.parse(path.read_text())
        tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        names: dict[str, Any] = {
            "nnx": nnx,
            "jax": jax,
            "jnp": jnp,
            "np": np,
            "tp": typing,
            "partial": partial,
        }
        names["__name__"] = path.stem
        exec(compile(tree, str(path), "exec"), names)
        _cached[path] = names
    return _cached[path]
