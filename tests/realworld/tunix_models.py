"""Models of google/tunix."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from flax import nnx

from tests.realworld.model import Build, Model, concrete, pick


def of_tunix(checkout: Path) -> Iterator[Model]:
    """Models of google/tunix; its package is not imported, as that wants its trainers."""
    for name in ("", ".models", ".utils", ".generate", *(f".models.{m}" for m in _TUNIX)):
        package = types.ModuleType(f"tunix{name}")
        package.__path__ = [str(checkout / f"tunix{name}".replace(".", "/"))]
        sys.modules.setdefault(package.__name__, package)
    for name, build in _TUNIX.items():
        yield Model(f"tunix {name}", partial(_abstract_or_zeros, build))


def _abstract_or_zeros(build: Build, scale: int) -> Any:
    return concrete(lambda: build(scale))


def _tunix_config(scale: int) -> dict[str, Any]:
    return {
        "num_layers": pick(scale, 2, 3, 4),
        "vocab_size": pick(scale, 31, 37, 41),
        "embed_dim": pick(scale, 10, 13, 20),
        "hidden_dim": pick(scale, 34, 38, 42),
        "num_heads": pick(scale, 4, 6, 10),
        "head_dim": pick(scale, 6, 8, 14),
        "num_kv_heads": pick(scale, 2, 3, 5),
        "rope_theta": 500_000,
        "norm_eps": 1e-5,
    }


def _llama3(scale: int) -> Any:
    m: Any = importlib.import_module("tunix.models.llama3.model")
    config = m.ModelConfig(**_tunix_config(scale), weight_tying=False)
    return m.Llama3(config, rngs=nnx.Rngs(0))


def _qwen2(scale: int) -> Any:
    m: Any = importlib.import_module("tunix.models.qwen2.model")
    config = m.ModelConfig(**_tunix_config(scale), use_tied_embedding=False)
    return m.Qwen2(config, rngs=nnx.Rngs(0))


def _gemma2(scale: int) -> Any:
    m: Any = importlib.import_module("tunix.models.gemma.model")
    sizes = _tunix_config(scale)
    sizes["num_embed"] = sizes.pop("vocab_size")
    del sizes["rope_theta"], sizes["norm_eps"]
    config = dataclasses.replace(m.ModelConfig.gemma2_2b(), **sizes)
    return m.Gemma(config, rngs=nnx.Rngs(0))


_TUNIX: dict[str, Build] = {"gemma": _gemma2, "llama3": _llama3, "qwen2": _qwen2}
