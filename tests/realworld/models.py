"""Public NNX models at tiny sizes, built from a checkout of their repositories.

Every builder takes a scale, 0, 1 or 2: the same model with all sizes different. Nothing is
downloaded; parameters are zeros, as no check reads a value.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

Build = Callable[[int], Any]


@dataclass(frozen=True)
class Model:
    """A public model.

    Attributes:
      name: repository and model.
      build: makes it at a scale.
    """

    name: str
    build: Build


def concrete(make: Callable[[], Any]) -> Any:
    """The module that `make` returns, with zeros for its parameters and no time for them."""
    model = nnx.eval_shape(make)
    graphdef, state = nnx.split(model)
    return nnx.merge(graphdef, jax.tree.map(_zeros, state))


def _zeros(leaf: Any) -> Any:
    if not isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        keys = jax.random.split(jax.random.key(0), leaf.shape) if leaf.shape else jax.random.key(0)
        return keys
    return jnp.zeros(leaf.shape, leaf.dtype)


def of_bonsai(checkout: Path) -> Iterator[Model]:
    """The models of jax-ml/bonsai that build without a download."""
    sys.path.insert(0, str(checkout))
    for name, build in _BONSAI.items():
        yield Model(f"bonsai {name}", partial(_built, build, name in _SHARDED))


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


def _built(build: Build, sharded: bool, scale: int) -> Any:
    if not sharded:
        return concrete(lambda: build(scale))
    with jax.set_mesh(_mesh()):
        return concrete(lambda: build(scale))


def _module(name: str) -> Any:
    return importlib.import_module(f"bonsai.models.{name}.modeling")


def _pick(scale: int, *options: Any) -> Any:
    return options[scale]


# -- bonsai ------------------------------------------------------------------------------------


def _vit(scale: int) -> Any:
    m = _module("vit")
    config = m.ModelConfig(
        image_size=_pick(scale, (8, 8), (12, 12), (16, 16)),
        patch_size=(4, 4),
        num_channels=3,
        hidden_dim=_pick(scale, 8, 12, 20),
        attn_dropout_prob=0.1,
        dropout_prob=0.1,
        num_heads=_pick(scale, 2, 3, 5),
        mlp_dim=_pick(scale, 14, 22, 26),
        eps=1e-6,
        num_layers=_pick(scale, 2, 3, 4),
        num_labels=_pick(scale, 5, 7, 11),
    )
    return m.ViTClassificationModel(config, rngs=nnx.Rngs(0))


def _resnet(scale: int) -> Any:
    m = _module("resnet")
    blocks = _pick(scale, [1, 2, 1, 1], [1, 3, 1, 1], [1, 4, 1, 1])
    return m.ResNet(m.ModelConfig(blocks, _pick(scale, 5, 7, 11)), rngs=nnx.Rngs(0))


def _densenet(scale: int) -> Any:
    m = _module("densenet121")
    config = m.ModelConfig(_pick(scale, 5, 7, 11), [2, 3, 1, 2], _pick(scale, 4, 6, 10))
    return m.DenseNet(config, rngs=nnx.Rngs(0))


def _convnext(scale: int) -> Any:
    m = _module("convnext")
    dims = _pick(scale, (4, 8, 12, 16), (5, 10, 15, 21), (6, 13, 18, 25))
    config = m.ModelConfig((1, 2, 1, 1), dims, 0.1, _pick(scale, 9, 11, 14))
    return m.ConvNeXt(config, rngs=nnx.Rngs(0))


def _vgg(scale: int) -> Any:
    m = _module("vgg19")
    channels = _pick(scale, [4, 5, 6, 7, 8, 12], [9, 10, 11, 13, 14, 20], [15, 16, 17, 18, 19, 30])
    config = m.ModelConfig(_pick(scale, 21, 22, 23), [2, 2, 1, 3, 1], channels)
    return m.VGG(config, rngs=nnx.Rngs(0))


def _whisper(scale: int) -> Any:
    m = _module("whisper")
    d = _pick(scale, 8, 12, 20)
    config = dataclasses.replace(
        m.ModelConfig.whisper_tiny(),
        d_model=d,
        decoder_attention_heads=_pick(scale, 2, 3, 5),
        encoder_attention_heads=_pick(scale, 2, 3, 5),
        decoder_ffn_dim=_pick(scale, 14, 22, 26),
        encoder_ffn_dim=_pick(scale, 16, 28, 34),
        decoder_layers=_pick(scale, 2, 3, 4),
        encoder_layers=_pick(scale, 2, 3, 4),
        max_length=_pick(scale, 10, 15, 18),
        max_source_positions=_pick(scale, 11, 17, 19),
        num_mel_bins=_pick(scale, 6, 7, 9),
        vocab_size=_pick(scale, 31, 37, 41),
    )
    return m.Whisper(config, rngs=nnx.Rngs(0))


def _unet(scale: int) -> Any:
    m = _module("unet")
    features = _pick(scale, (4, 5, 6, 7, 8), (9, 10, 12, 13, 14), (15, 16, 17, 18, 19))
    return m.UNet(m.ModelConfig(1, _pick(scale, 2, 3, 11), features), rngs=nnx.Rngs(0))


def _qwen3(scale: int, *, sharded: bool = False) -> Any:
    m = _module("qwen3")
    config = m.ModelConfig(
        shd_cfg=m.ShardConfig.default(True, True) if sharded else m.ShardConfig.no_sharding(),
        num_layers=_pick(scale, 2, 3, 4),
        vocab_size=_pick(scale, 31, 37, 41),
        emb_dim=_pick(scale, 8, 12, 20),
        mlp_dim=_pick(scale, 14, 22, 26),
        num_heads=_pick(scale, 4, 6, 10),
        head_dim=_pick(scale, 16, 18, 24),
        num_kv_heads=_pick(scale, 2, 3, 5),
        rope_theta=10_000,
        rope_scaling_factor=8.0,
        local_rope_theta=1e4,
        norm_eps=1e-6,
        tie_word_embeddings=True,
    )
    return m.Qwen3(config, rngs=nnx.Rngs(0))


def _qwen3_sharded(scale: int) -> Any:
    return _qwen3(scale, sharded=True)


def _qwen3_cache(scale: int) -> Any:
    m = _module("qwen3")
    config = dataclasses.replace(
        m.ModelConfig.qwen3_0_6b(),
        num_layers=_pick(scale, 2, 3, 4),
        num_kv_heads=_pick(scale, 2, 3, 5),
        head_dim=_pick(scale, 4, 6, 8),
    )
    size = _pick(scale, 16, 32, 64)
    return nnx.List(m.init_cache(config, _pick(scale, 7, 9, 11), size, 0))


def _gemma3(scale: int) -> Any:
    m = _module("gemma3")
    vision = dataclasses.replace(
        m.VisionConfig.gemma3_4b_it(),
        hidden_size=_pick(scale, 8, 12, 20),
        image_size=_pick(scale, 16, 24, 40),
        intermediate_size=_pick(scale, 14, 22, 26),
        num_attention_heads=2,
        num_hidden_layers=_pick(scale, 2, 3, 4),
        patch_size=4,
    )
    layers = _pick(scale, 2, 3, 4)
    text = dataclasses.replace(
        m.TextConfig.gemma3_4b_it(norm_dtype=jnp.float32),
        head_dim=_pick(scale, 6, 10, 16),
        hidden_size=_pick(scale, 13, 17, 19),
        intermediate_size=_pick(scale, 15, 21, 23),
        layer_types=m._set_attention_modes(2, layers),
        num_attention_heads=_pick(scale, 4, 6, 10),
        num_hidden_layers=layers,
        num_key_value_heads=_pick(scale, 2, 3, 5),
        vocab_size=_pick(scale, 31, 37, 41),
    )
    whole = m.ModelConfig.gemma3_4b_it(norm_dtype=jnp.float32)
    config = dataclasses.replace(
        whole, vision_config=vision, text_config=text, mm_tokens_per_image=4
    )
    return m.Gemma3Model(config, rngs=nnx.Rngs(0))


def _mamba2(scale: int) -> Any:
    m = _module("mamba2")
    config = m.ModelConfig(
        vocab_size=_pick(scale, 31, 37, 41),
        hidden_size=_pick(scale, 8, 12, 20),
        state_size=_pick(scale, 5, 6, 9),
        head_dim=_pick(scale, 4, 8, 10),
        chunk_size=4,
        num_hidden_layers=_pick(scale, 2, 3, 4),
    )
    return m.Mamba2ForCausalLM(config, rngs=nnx.Rngs(0))


def _mamba2_forecaster(scale: int) -> Any:
    return _module("mamba2").Mamba2Forecaster(
        input_dim=_pick(scale, 3, 7, 11),
        d_model=_pick(scale, 8, 12, 20),
        n_layers=_pick(scale, 2, 3, 4),
        d_state=_pick(scale, 5, 6, 9),
        headdim=_pick(scale, 4, 8, 10),
        rngs=nnx.Rngs(0),
    )


def _umt5(scale: int) -> Any:
    m = _module("umt5")
    config = m.ModelConfig(
        vocab_size=_pick(scale, 31, 37, 41),
        d_model=_pick(scale, 8, 12, 20),
        d_kv=_pick(scale, 4, 5, 6),
        d_ff=_pick(scale, 14, 22, 26),
        num_layers=_pick(scale, 2, 3, 4),
        num_heads=_pick(scale, 3, 5, 7),
        relative_attention_num_buckets=_pick(scale, 9, 10, 11),
    )
    return m.UMT5Model(config, rngs=nnx.Rngs(0))


def _llada(scale: int) -> Any:
    m = _module("llada")
    config = dataclasses.replace(
        m.ModelConfig.llada_8b_it(True, True),
        d_model=_pick(scale, 8, 12, 20),
        n_heads=2,
        n_kv_heads=2,
        n_layers=_pick(scale, 2, 3, 4),
        vocab_size=_pick(scale, 31, 37, 41),
        embedding_size=_pick(scale, 31, 37, 41),
        mlp_hidden_size=_pick(scale, 14, 22, 26),
        include_bias=True,
        include_qkv_bias=True,
    )
    return m.LLaDAModel(config, rngs=nnx.Rngs(0))


def _mesh() -> Any:
    kinds = (jax.sharding.AxisType.Explicit,) * 2
    return jax.make_mesh((1, 1), ("fsdp", "tp"), axis_types=kinds)


def _dinov3(scale: int) -> Any:
    m = _module("dinov3")
    config = m.ModelConfig(
        patch_size=(4, 4),
        hidden_size=_pick(scale, 8, 12, 20),
        intermediate_size=_pick(scale, 14, 22, 26),
        num_hidden_layers=_pick(scale, 2, 3, 4),
        num_attention_heads=2,
        image_size=16,
        num_register_tokens=_pick(scale, 4, 5, 6),
    )
    return m.Dinov3ViTModel(config, rngs=nnx.Rngs(0))


def _vae(scale: int) -> Any:
    m = _module("vae")
    channels = _pick(scale, (4, 6, 8, 8), (10, 12, 14, 14), (16, 18, 20, 20))
    return m.VAE(m.ModelConfig(channels, _pick(scale, 3, 5, 7), 2), rngs=nnx.Rngs(0))


def _efficientnet(scale: int) -> Any:
    m = _module("efficientnet")
    blocks = m.BlockConfigs(m.BlockConfigs.default_block_config().items[:3])
    full = m.ModelConfig.b0(num_classes=_pick(scale, 5, 7, 11))
    config = dataclasses.replace(full, block_configs=blocks)
    return m.EfficientNet(config, rngs=nnx.Rngs(0))


def _vjepa2(scale: int) -> Any:
    m = _module("vjepa2")
    config = m.ModelConfig(
        patch_size=4,
        crop_size=8,
        frames_per_clip=4,
        hidden_size=_pick(scale, 8, 12, 20),
        num_attention_heads=2,
        num_hidden_layers=_pick(scale, 2, 3, 4),
        pred_hidden_size=_pick(scale, 6, 10, 14),
        pred_num_attention_heads=1,
        pred_num_hidden_layers=_pick(scale, 2, 3, 4),
        pred_num_mask_tokens=_pick(scale, 3, 5, 7),
        num_pooler_layers=_pick(scale, 2, 3, 4),
        num_labels=_pick(scale, 5, 9, 11),
    )
    return m.VJEPA2ForVideoClassification(config, rngs=nnx.Rngs(0))


def _optimizer(build: Build) -> Build:
    def made(scale: int) -> Any:
        tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))
        return nnx.Optimizer(build(scale), tx, wrt=nnx.Param)

    return made


#: Built under a mesh, so that their metadata has axis names.
_SHARDED = frozenset({"LLaDA", "Qwen3 sharded"})
_BONSAI: dict[str, Build] = {
    "ViT": _vit,
    "ResNet": _resnet,
    "DenseNet": _densenet,
    "ConvNeXt": _convnext,
    "VGG": _vgg,
    "Whisper": _whisper,
    "UNet": _unet,
    "Qwen3": _qwen3,
    "Qwen3 sharded": _qwen3_sharded,
    "Qwen3's cache": _qwen3_cache,
    "Gemma3": _gemma3,
    "Mamba2": _mamba2,
    "Mamba2 forecaster": _mamba2_forecaster,
    "UMT5": _umt5,
    "LLaDA": _llada,
    "DINOv3": _dinov3,
    "VAE": _vae,
    "EfficientNet": _efficientnet,
    "V-JEPA 2": _vjepa2,
    "adamw of ViT": _optimizer(_vit),
}


# -- tunix -------------------------------------------------------------------------------------


def _tunix_config(scale: int) -> dict[str, Any]:
    return {
        "num_layers": _pick(scale, 2, 3, 4),
        "vocab_size": _pick(scale, 31, 37, 41),
        "embed_dim": _pick(scale, 10, 13, 20),
        "hidden_dim": _pick(scale, 34, 38, 42),
        "num_heads": _pick(scale, 4, 6, 10),
        "head_dim": _pick(scale, 6, 8, 14),
        "num_kv_heads": _pick(scale, 2, 3, 5),
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


# -- Flax's examples ---------------------------------------------------------------------------


def _flax_gemma(scale: int) -> Any:
    cfg: Any = importlib.import_module("transformer_cfg")
    transformer: Any = importlib.import_module("transformer")
    config = dataclasses.replace(
        cfg.TransformerConfig.gemma3_1b(),
        num_layers=_pick(scale, 2, 3, 4),
        num_embed=_pick(scale, 31, 37, 41),
        embed_dim=_pick(scale, 8, 12, 20),
        hidden_dim=_pick(scale, 14, 22, 26),
        num_heads=_pick(scale, 4, 6, 10),
        head_dim=_pick(scale, 16, 18, 24),
        num_kv_heads=_pick(scale, 2, 3, 5),
        attention_types=cfg.make_attention_layers_types(
            cfg.GEMMA3_ATTENTION_PATTERN, _pick(scale, 2, 3, 4)
        ),
    )
    return transformer.Transformer(config, rngs=nnx.Rngs(0))


def _flax_lora(scale: int) -> Any:
    model = _flax_gemma(scale)
    rank = _pick(scale, 3, 5, 7)
    for layer in model.layers:
        wide = layer.mlp.gate_proj.kernel.shape
        layer.mlp.gate_proj = nnx.LoRALinear(*wide, lora_rank=rank, rngs=nnx.Rngs(0))
    return model


def _scanned(toys: Path, scale: int) -> Any:
    found = _names_of(toys / "06_scan_over_layers.py")
    return found["ScanMLP"](
        _pick(scale, 8, 9, 11), n_layers=_pick(scale, 5, 6, 7), rngs=nnx.Rngs(0)
    )


def _flax_vae(toys: Path, scale: int) -> Any:
    found = _names_of(toys / "05_vae.py")
    sizes = (_pick(scale, 8, 9, 10), _pick(scale, 14, 15, 16), _pick(scale, 5, 6, 7))
    return found["VAE"](*sizes, _pick(scale, (2, 4), (3, 3), (2, 5)), rngs=nnx.Rngs(0))


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
