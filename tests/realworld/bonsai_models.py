"""The models of jax-ml/bonsai."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from tests.realworld.model import Build, Model, concrete, pick


def of_bonsai(checkout: Path) -> Iterator[Model]:
    """The models of jax-ml/bonsai that build without a download."""
    sys.path.insert(0, str(checkout))
    for name, build in _BONSAI.items():
        yield Model(f"bonsai {name}", partial(_built, build, name in _SHARDED))


def _built(build: Build, sharded: bool, scale: int) -> Any:
    if not sharded:
        return concrete(lambda: build(scale))
    with jax.set_mesh(_mesh()):
        return concrete(lambda: build(scale))


def _module(name: str) -> Any:
    return importlib.import_module(f"bonsai.models.{name}.modeling")


def _vit(scale: int) -> Any:
    m = _module("vit")
    config = m.ModelConfig(
        image_size=pick(scale, (8, 8), (12, 12), (16, 16)),
        patch_size=(4, 4),
        num_channels=3,
        hidden_dim=pick(scale, 8, 12, 20),
        attn_dropout_prob=0.1,
        dropout_prob=0.1,
        num_heads=pick(scale, 2, 3, 5),
        mlp_dim=pick(scale, 14, 22, 26),
        eps=1e-6,
        num_layers=pick(scale, 2, 3, 4),
        num_labels=pick(scale, 5, 7, 11),
    )
    return m.ViTClassificationModel(config, rngs=nnx.Rngs(0))


def _resnet(scale: int) -> Any:
    m = _module("resnet")
    blocks = pick(scale, [1, 2, 1, 1], [1, 3, 1, 1], [1, 4, 1, 1])
    return m.ResNet(m.ModelConfig(blocks, pick(scale, 5, 7, 11)), rngs=nnx.Rngs(0))


def _densenet(scale: int) -> Any:
    m = _module("densenet121")
    config = m.ModelConfig(pick(scale, 5, 7, 11), [2, 3, 1, 2], pick(scale, 4, 6, 10))
    return m.DenseNet(config, rngs=nnx.Rngs(0))


def _convnext(scale: int) -> Any:
    m = _module("convnext")
    dims = pick(scale, (4, 8, 12, 16), (5, 10, 15, 21), (6, 13, 18, 25))
    config = m.ModelConfig((1, 2, 1, 1), dims, 0.1, pick(scale, 9, 11, 14))
    return m.ConvNeXt(config, rngs=nnx.Rngs(0))


def _vgg(scale: int) -> Any:
    m = _module("vgg19")
    channels = pick(scale, [4, 5, 6, 7, 8, 12], [9, 10, 11, 13, 14, 20], [15, 16, 17, 18, 19, 30])
    config = m.ModelConfig(pick(scale, 21, 22, 23), [2, 2, 1, 3, 1], channels)
    return m.VGG(config, rngs=nnx.Rngs(0))


def _whisper(scale: int) -> Any:
    m = _module("whisper")
    d = pick(scale, 8, 12, 20)
    config = dataclasses.replace(
        m.ModelConfig.whisper_tiny(),
        d_model=d,
        decoder_attention_heads=pick(scale, 2, 3, 5),
        encoder_attention_heads=pick(scale, 2, 3, 5),
        decoder_ffn_dim=pick(scale, 14, 22, 26),
        encoder_ffn_dim=pick(scale, 16, 28, 34),
        decoder_layers=pick(scale, 2, 3, 4),
        encoder_layers=pick(scale, 2, 3, 4),
        max_length=pick(scale, 10, 15, 18),
        max_source_positions=pick(scale, 11, 17, 19),
        num_mel_bins=pick(scale, 6, 7, 9),
        vocab_size=pick(scale, 31, 37, 41),
    )
    return m.Whisper(config, rngs=nnx.Rngs(0))


def _unet(scale: int) -> Any:
    m = _module("unet")
    features = pick(scale, (4, 5, 6, 7, 8), (9, 10, 12, 13, 14), (15, 16, 17, 18, 19))
    return m.UNet(m.ModelConfig(1, pick(scale, 2, 3, 11), features), rngs=nnx.Rngs(0))


def _qwen3(scale: int, *, sharded: bool = False) -> Any:
    m = _module("qwen3")
    config = m.ModelConfig(
        shd_cfg=m.ShardConfig.default(True, True) if sharded else m.ShardConfig.no_sharding(),
        num_layers=pick(scale, 2, 3, 4),
        vocab_size=pick(scale, 31, 37, 41),
        emb_dim=pick(scale, 8, 12, 20),
        mlp_dim=pick(scale, 14, 22, 26),
        num_heads=pick(scale, 4, 6, 10),
        head_dim=pick(scale, 16, 18, 24),
        num_kv_heads=pick(scale, 2, 3, 5),
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
        num_layers=pick(scale, 2, 3, 4),
        num_kv_heads=pick(scale, 2, 3, 5),
        head_dim=pick(scale, 4, 6, 8),
    )
    size = pick(scale, 16, 32, 64)
    return nnx.List(m.init_cache(config, pick(scale, 7, 9, 11), size, 0))


def _gemma3(scale: int) -> Any:
    m = _module("gemma3")
    vision = dataclasses.replace(
        m.VisionConfig.gemma3_4b_it(),
        hidden_size=pick(scale, 8, 12, 20),
        image_size=pick(scale, 16, 24, 40),
        intermediate_size=pick(scale, 14, 22, 26),
        num_attention_heads=2,
        num_hidden_layers=pick(scale, 2, 3, 4),
        patch_size=4,
    )
    layers = pick(scale, 2, 3, 4)
    text = dataclasses.replace(
        m.TextConfig.gemma3_4b_it(norm_dtype=jnp.float32),
        head_dim=pick(scale, 6, 10, 16),
        hidden_size=pick(scale, 13, 17, 19),
        intermediate_size=pick(scale, 15, 21, 23),
        layer_types=m._set_attention_modes(2, layers),
        num_attention_heads=pick(scale, 4, 6, 10),
        num_hidden_layers=layers,
        num_key_value_heads=pick(scale, 2, 3, 5),
        vocab_size=pick(scale, 31, 37, 41),
    )
    whole = m.ModelConfig.gemma3_4b_it(norm_dtype=jnp.float32)
    config = dataclasses.replace(
        whole, vision_config=vision, text_config=text, mm_tokens_per_image=4
    )
    return m.Gemma3Model(config, rngs=nnx.Rngs(0))


def _mamba2(scale: int) -> Any:
    m = _module("mamba2")
    config = m.ModelConfig(
        vocab_size=pick(scale, 31, 37, 41),
        hidden_size=pick(scale, 12, 20, 28),
        state_size=pick(scale, 5, 6, 9),
        head_dim=pick(scale, 3, 8, 14),
        chunk_size=7,
        num_hidden_layers=pick(scale, 2, 3, 4),
    )
    return m.Mamba2ForCausalLM(config, rngs=nnx.Rngs(0))


def _mamba2_forecaster(scale: int) -> Any:
    return _module("mamba2").Mamba2Forecaster(
        input_dim=pick(scale, 3, 7, 11),
        d_model=pick(scale, 12, 20, 28),
        n_layers=pick(scale, 2, 3, 4),
        d_state=pick(scale, 5, 6, 9),
        headdim=pick(scale, 3, 8, 14),
        rngs=nnx.Rngs(0),
    )


def _umt5(scale: int) -> Any:
    m = _module("umt5")
    config = m.ModelConfig(
        vocab_size=pick(scale, 31, 37, 41),
        d_model=pick(scale, 8, 12, 20),
        d_kv=pick(scale, 4, 5, 6),
        d_ff=pick(scale, 14, 22, 26),
        num_layers=pick(scale, 2, 3, 4),
        num_heads=pick(scale, 3, 5, 7),
        relative_attention_num_buckets=pick(scale, 9, 10, 11),
    )
    return m.UMT5Model(config, rngs=nnx.Rngs(0))


def _llada(scale: int) -> Any:
    m = _module("llada")
    config = dataclasses.replace(
        m.ModelConfig.llada_8b_it(True, True),
        d_model=pick(scale, 8, 12, 20),
        n_heads=2,
        n_kv_heads=2,
        n_layers=pick(scale, 2, 3, 4),
        vocab_size=pick(scale, 31, 37, 41),
        embedding_size=pick(scale, 31, 37, 41),
        mlp_hidden_size=pick(scale, 14, 22, 26),
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
        hidden_size=pick(scale, 8, 12, 20),
        intermediate_size=pick(scale, 14, 22, 26),
        num_hidden_layers=pick(scale, 2, 3, 4),
        num_attention_heads=2,
        image_size=16,
        num_register_tokens=pick(scale, 4, 5, 6),
    )
    return m.Dinov3ViTModel(config, rngs=nnx.Rngs(0))


def _vae(scale: int) -> Any:
    m = _module("vae")
    channels = pick(scale, (4, 6, 8, 8), (10, 12, 14, 14), (16, 18, 20, 20))
    return m.VAE(m.ModelConfig(channels, pick(scale, 5, 7, 9), 2), rngs=nnx.Rngs(0))


def _efficientnet(scale: int) -> Any:
    m = _module("efficientnet")
    blocks = m.BlockConfigs(m.BlockConfigs.default_block_config().items[:3])
    full = m.ModelConfig.b0(num_classes=pick(scale, 5, 7, 11))
    config = dataclasses.replace(full, block_configs=blocks)
    return m.EfficientNet(config, rngs=nnx.Rngs(0))


def _vjepa2(scale: int) -> Any:
    m = _module("vjepa2")
    config = m.ModelConfig(
        patch_size=4,
        crop_size=8,
        frames_per_clip=4,
        hidden_size=pick(scale, 8, 12, 20),
        num_attention_heads=2,
        num_hidden_layers=pick(scale, 2, 3, 4),
        pred_hidden_size=pick(scale, 6, 10, 14),
        pred_num_attention_heads=1,
        pred_num_hidden_layers=pick(scale, 2, 3, 4),
        pred_num_mask_tokens=pick(scale, 3, 5, 7),
        num_pooler_layers=pick(scale, 2, 3, 4),
        num_labels=pick(scale, 5, 9, 11),
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
