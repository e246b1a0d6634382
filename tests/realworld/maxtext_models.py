"""Models of AI-Hypercomputer/maxtext: decoders of its layers, from a configuration of their own.

What it imports for training, quantisation and its kernels is not needed to make a model: empty
modules stand for that.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from tests.realworld.model import Model, concrete, pick

#: What is left out even where it could be imported.
_LEFT_OUT = ("maxtext.kernels", "maxtext.common.grain_utility")
#: What is empty where it is not installed.
_NOT_NEEDED = (
    "PIL", "aqt", "datasets", "drjax", "google", "google_cloud_mldiagnostics", "grain",
    "huggingface_hub", "jinja2", "librosa", "ml_goodput_measurement", "omegaconf", "orbax",
    "pathwaysutils", "psutil", "pydantic_settings", "qwix", "sentencepiece", "sympy",
    "tensorboardX", "tensorflow", "tiktoken", "tokamax", "tokenizers", "torch",
    "transformer_engine", "transformers",
)  # fmt: skip


class _Meta(type):
    """A class of which every attribute is a class that may be called, subscripted, inherited."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything


class _Anything(metaclass=_Meta):
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, *args: Any, **_: Any) -> Any:
        return args[0] if args else self

    def __class_getitem__(cls, _: Any) -> Any:
        return cls


class _Empty(types.ModuleType):
    """A module that has every name."""

    __version__ = "9.9.9"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "get_current_rule":  # of quantisation: there is none
            return lambda *_: None
        found = _Meta(name, (_Anything,), {"__module__": self.__name__})
        setattr(self, name, found)
        return found


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds empty modules of these names, and all below them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self.names):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        made = _Empty(spec.name)
        made.__path__ = []
        return made

    def exec_module(self, module: types.ModuleType) -> None: ...


class _Config:
    """A configuration: what its file has by default, and what a model sets."""

    def __init__(self, defaults: dict[str, Any], **given: Any) -> None:
        empty = {name: None if value == "" else value for name, value in defaults.items()}
        vars(self).update(empty, **given)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def of_maxtext(checkout: Path) -> Iterator[Model]:
    """Models of MaxText; its package is not imported, as that wants its trainers."""
    package = types.ModuleType("maxtext")
    package.__path__ = [str(checkout / "src" / "maxtext")]
    sys.modules.setdefault("maxtext", package)
    sys.meta_path.insert(0, _Finder(_LEFT_OUT))
    sys.meta_path.append(_Finder(_NOT_NEEDED))
    yaml: Any = importlib.import_module("yaml")
    text = (checkout / "src" / "maxtext" / "configs" / "base.yml").read_text()
    defaults: dict[str, Any] = yaml.safe_load(text)
    for name, given in _MODELS.items():
        yield Model(f"maxtext {name}", partial(_built, defaults, given))


def _built(defaults: dict[str, Any], given: dict[str, Any], scale: int) -> Any:
    common: Any = importlib.import_module("maxtext.common.common_types")
    models: Any = importlib.import_module("maxtext.models.models")
    sizes = {
        "emb_dim": pick(scale, 16, 20, 24),
        "mlp_dim": pick(scale, 40, 44, 52),
        "num_query_heads": pick(scale, 4, 6, 8),
        "num_kv_heads": pick(scale, 4, 6, 8) if "q_lora_rank" in given else pick(scale, 2, 3, 4),
        "head_dim": pick(scale, 6, 8, 10),
        "vocab_size": pick(scale, 31, 37, 41),
        "num_decoder_layers": pick(scale, 4, 5, 6),
        "moe_mlp_dim": pick(scale, 24, 28, 36),
        "num_experts": pick(scale, 5, 7, 9) if "num_experts_per_tok" in given else 1,
        **_FIXED,
    }
    block = common.DecoderBlockType(given["decoder_block"])
    more = {"shard_mode": common.ShardMode.AUTO, "dtype": jnp.float32, "weight_dtype": jnp.float32}
    config = _Config(defaults, **{**sizes, **given, **more, "decoder_block": block})
    mesh = jax.sharding.Mesh(jax.devices()[:1], ("data",))
    make = partial(models.Transformer, config, mesh, None, model_mode=common.MODEL_MODE_TRAIN)
    return concrete(lambda: make(rngs=nnx.Rngs(0)))


_FIXED: dict[str, Any] = {
    "mlp_activations": ["silu", "linear"],
    "max_target_length": 8,
    "max_prefill_predict_length": 4,
    "micro_batch_size_to_train_on": 2,
    "global_batch_size_to_train_on": 2,
    "attention": "dot_product",
    "attention_type": "global",
    "quantization": "",
    "mesh_axes": ["data"],
    "scan_layers": False,
    "dropout_rate": 0.0,
    "engram_layers": [],
    "sliding_window_size": 4,
}
_MODELS: dict[str, dict[str, Any]] = {
    "Llama 2": {"decoder_block": "llama2"},
    "Llama 2 scanned": {"decoder_block": "llama2", "scan_layers": True},
    "DeepSeek": {
        "decoder_block": "deepseek",
        "attention_type": "mla",
        "num_experts_per_tok": 2,
        "shared_experts": 1,
        "first_num_dense_layers": 2,
        "q_lora_rank": 7,
        "kv_lora_rank": 11,
        "qk_nope_head_dim": 6,
        "qk_rope_head_dim": 4,
        "v_head_dim": 6,
        "n_routing_groups": -1,
        "topk_routing_group": -1,
        "routed_bias": True,
    },
    "GPT OSS scanned": {
        "decoder_block": "gpt_oss",
        "scan_layers": True,
        "num_experts_per_tok": 2,
        "attention_sink": True,
        "attention_bias": True,
        "inhomogeneous_layer_cycle_interval": 2,
    },
}
