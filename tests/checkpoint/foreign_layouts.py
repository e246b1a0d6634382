"""Three layouts of torch models, with tiny random weights and schemas for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from safetensors.numpy import save_file

from tests.zoo import DenseState, EmbedState, KernelState, NormState, ScaleState
from typedstate import Bind, Stacked, StateMap, TypedState
from typedstate.checkpoint import Rule, Weights

D, HEADS, KV, HD, HIDDEN, VOCAB, LAYERS, EXPERTS = 12, 4, 2, 3, 20, 32, 3, 5
DIMS = {"heads": HEADS, "kv": KV}


class HeadsState(TypedState):
    kernel: nnx.Param[Float[Array, "d heads hd"]]


class OutState(TypedState):
    kernel: nnx.Param[Float[Array, "heads hd d"]]


class AttentionState(TypedState):
    query: Bind[HeadsState, "d heads hd"]
    key: Bind[HeadsState, "d heads=kv hd"]
    value: Bind[HeadsState, "d heads=kv hd"]
    out: Bind[OutState, "d heads hd"]


class MlpState(TypedState):
    gate: Bind[KernelState, "din=d dout=hidden"]
    up: Bind[KernelState, "din=d dout=hidden"]
    down: Bind[KernelState, "din=hidden dout=d"]


class BlockState(TypedState):
    attention: Bind[AttentionState, "d heads kv hd"]
    mlp: Bind[MlpState, "d hidden"]
    before: Bind[ScaleState, "d"]
    after: Bind[ScaleState, "d"]


class LlamaState(TypedState):
    embed: Bind[EmbedState, "vocab d"]
    blocks: Bind[StateMap[int, Bind[BlockState, "d heads kv hd hidden"]], "len=layers"]
    norm: Bind[ScaleState, "d"]
    head: Bind[KernelState, "din=d dout=vocab"]


class ScannedLlamaState(TypedState):
    embed: Bind[EmbedState, "vocab d"]
    blocks: Bind[Stacked[BlockState, "layers"], "d heads kv hd hidden"]
    norm: Bind[ScaleState, "d"]
    head: Bind[KernelState, "din=d dout=vocab"]


def llama_tensors(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)

    def made(*shape: int) -> Any:
        return rng.normal(size=shape).astype(ml_dtypes.bfloat16)

    found = {"model.embed_tokens.weight": made(VOCAB, D), "lm_head.weight": made(VOCAB, D)}
    found["model.norm.weight"] = made(D)
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        found |= {
            f"{layer}.self_attn.q_proj.weight": made(HEADS * HD, D),
            f"{layer}.self_attn.k_proj.weight": made(KV * HD, D),
            f"{layer}.self_attn.v_proj.weight": made(KV * HD, D),
            f"{layer}.self_attn.o_proj.weight": made(D, HEADS * HD),
            f"{layer}.self_attn.rotary_emb.inv_freq": made(2),
            f"{layer}.mlp.gate_proj.weight": made(HIDDEN, D),
            f"{layer}.mlp.up_proj.weight": made(HIDDEN, D),
            f"{layer}.mlp.down_proj.weight": made(D, HIDDEN),
            f"{layer}.input_layernorm.weight": made(D),
            f"{layer}.post_attention_layernorm.weight": made(D),
        }
    return found


def llama_rules(entry: str = "[{i}]") -> tuple[Rule, ...]:
    source, target = "model.layers.{i}", f"blocks{entry}"

    def rule(name: str, path: str, **how: Any) -> Rule:
        return Rule(f"{source}.{name}.weight", f"{target}.{path}", **how)

    return (
        Rule("model.embed_tokens.weight", "embed.embedding"),
        Rule("model.norm.weight", "norm.scale"),
        Rule("lm_head.weight", "head.kernel", transpose=True),
        rule("input_layernorm", "before.scale"),
        rule("post_attention_layernorm", "after.scale"),
        rule("self_attn.q_proj", "attention.query.kernel", axes="(heads hd) d -> d heads hd"),
        rule("self_attn.k_proj", "attention.key.kernel", axes="(kv hd) d -> d kv hd"),
        rule("self_attn.v_proj", "attention.value.kernel", axes="(kv hd) d -> d kv hd"),
        rule("self_attn.o_proj", "attention.out.kernel", axes="d (heads hd) -> heads hd d"),
        rule("mlp.gate_proj", "mlp.gate.kernel", transpose=True),
        rule("mlp.up_proj", "mlp.up.kernel", transpose=True),
        rule("mlp.down_proj", "mlp.down.kernel", transpose=True),
    )


ROTARY = ("*.rotary_emb.inv_freq",)


def llama_weights(hint: Any = LlamaState, entry: str = "[{i}]") -> Weights[Any]:
    return Weights(hint, *llama_rules(entry), ignore=ROTARY)


# -- Encoder with one tensor for query, key and value --------------------------------------


class EncoderAttentionState(TypedState):
    query: Bind[DenseState, "din=d dout=d"]
    key: Bind[DenseState, "din=d dout=d"]
    value: Bind[DenseState, "din=d dout=d"]
    out: Bind[DenseState, "din=d dout=d"]


class EncoderBlockState(TypedState):
    attention: Bind[EncoderAttentionState, "d"]
    norm: Bind[NormState, "d"]


class PatchState(TypedState):
    kernel: nnx.Param[Float[Array, "patch patch channels d"]]
    bias: nnx.Param[Float[Array, "d"]]


class VitState(TypedState):
    patch: Bind[PatchState, "d"]
    cls: nnx.Param[Float[Array, "1 1 d"]]
    blocks: StateMap[int, Bind[EncoderBlockState, "d"]]


def vit_tensors() -> dict[str, Any]:
    rng = np.random.default_rng(1)

    def made(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    found = {
        "vit.embeddings.patch.projection.weight": made(D, 3, 4, 4),
        "vit.embeddings.patch.projection.bias": made(D),
        "vit.embeddings.cls_token": made(1, 1, D),
    }
    for i in range(2):
        layer = f"vit.encoder.layer.{i}"
        found |= {
            f"{layer}.attn.qkv.weight": made(3 * D, D),
            f"{layer}.attn.qkv.bias": made(3 * D),
            f"{layer}.attn.proj.weight": made(D, D),
            f"{layer}.attn.proj.bias": made(D),
            f"{layer}.norm.weight": made(D),
            f"{layer}.norm.bias": made(D),
        }
    return found


def vit_weights() -> Weights[VitState]:
    source, target = "vit.encoder.layer.{i}", "blocks[{i}]"
    parts = ("query", "key", "value")
    kernels = tuple(f"{target}.attention.{part}.kernel" for part in parts)
    biases = tuple(f"{target}.attention.{part}.bias" for part in parts)
    return Weights(
        VitState,
        Rule("vit.embeddings.patch.projection.weight", "patch.kernel", axes="o i h w -> h w i o"),
        Rule("vit.embeddings.patch.projection.bias", "patch.bias"),
        Rule("vit.embeddings.cls_token", "cls"),
        Rule(f"{source}.attn.qkv.weight", kernels, split=0, transpose=True),
        Rule(f"{source}.attn.qkv.bias", biases, split=0),
        Rule(f"{source}.attn.proj.weight", f"{target}.attention.out.kernel", transpose=True),
        Rule(f"{source}.attn.proj.bias", f"{target}.attention.out.bias"),
        Rule(f"{source}.norm.weight", f"{target}.norm.scale"),
        Rule(f"{source}.norm.bias", f"{target}.norm.bias"),
    )


# -- Experts -------------------------------------------------------------------------------


class ExpertsState(TypedState):
    router: nnx.Param[Float[Array, "d experts"]]
    gate_up: nnx.Param[Float[Array, "experts d 2*hidden"]]
    down: nnx.Param[Float[Array, "experts hidden d"]]


class MoeState(TypedState):
    blocks: StateMap[int, ExpertsState]


def moe_tensors() -> dict[str, Any]:
    rng = np.random.default_rng(2)
    found: dict[str, Any] = {}
    for i in range(2):
        layer = f"model.layers.{i}.block_sparse_moe"
        found[f"{layer}.gate.weight"] = rng.normal(size=(EXPERTS, D)).astype(np.float32)
        for e in range(EXPERTS):
            for name, shape in (("w13", (2 * HIDDEN, D)), ("w2", (D, HIDDEN))):
                tensor = rng.normal(size=shape).astype(np.float32)
                found[f"{layer}.experts.{e}.{name}.weight"] = tensor
    return found


def moe_weights() -> Weights[MoeState]:
    source = "model.layers.{i}.block_sparse_moe"
    return Weights(
        MoeState,
        Rule(f"{source}.gate.weight", "blocks[{i}].router", transpose=True),
        Rule(f"{source}.experts.{{e}}.w13.weight", "blocks[{i}].gate_up", transpose=True),
        Rule(f"{source}.experts.{{e}}.w2.weight", "blocks[{i}].down", transpose=True),
    )


def write_shards(folder: Path, tensors: dict[str, Any], count: int = 2) -> Path:
    """Writes tensors as a sharded safetensors checkpoint with its index."""
    import json

    folder.mkdir()
    names = sorted(tensors)
    size = -(-len(names) // count)
    placed: dict[str, str] = {}
    for number in range(count):
        file = f"model-{number + 1:05}-of-{count:05}.safetensors"
        chosen = names[number * size : (number + 1) * size]
        save_file({name: tensors[name] for name in chosen}, folder / file)
        placed |= dict.fromkeys(chosen, file)
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder
