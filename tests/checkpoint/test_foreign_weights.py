"""A mapping from foreign names is proved from the header, loads tensor by tensor, and goes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.checkpoint import foreign_layouts as layouts
from tests.checkpoint.foreign_layouts import DIMS, HD, HEADS, LAYERS, D
from typedstate import SchemaError, StateTypeError, explain
from typedstate.checkpoint import Rule, Weights, inspect, propose, restore, verify
from typedstate.checkpoint.rearrange import AxesError


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    save_file(layouts.llama_tensors(), tmp_path / "llama.safetensors")
    return tmp_path / "llama.safetensors"


LAYOUTS = {
    "llama": (layouts.llama_tensors, layouts.llama_weights, DIMS),
    "vit": (layouts.vit_tensors, layouts.vit_weights, {}),
    "moe": (layouts.moe_tensors, layouts.moe_weights, {}),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("shards", [1, 3])
def test_a_public_layout_goes_there_and_back(name: str, shards: int, tmp_path: Path) -> None:
    tensors, weights, dims = LAYOUTS[name][0](), LAYOUTS[name][1](), LAYOUTS[name][2]
    path = layouts.write_shards(tmp_path / name, tensors, shards)
    assert weights.prove(path, dims=dims), str(weights.prove(path, dims=dims))
    seen: list[tuple[int, int]] = []
    state = weights.load(path, dims=dims, progress=lambda *at: seen.append(at))
    assert explain(state, weights.hint)
    assert seen[-1][0] == seen[-1][1]
    back = {key: np.asarray(one) for key, one in weights.tensors(state, dims=dims)}
    wanted = {key: one for key, one in tensors.items() if "rotary" not in key}
    assert back.keys() == wanted.keys()
    assert all((back[key] == wanted[key]).all() for key in wanted)
    weights.save(tmp_path / "back.safetensors", state, dims=dims)
    assert load_file(tmp_path / "back.safetensors").keys() == wanted.keys()


def test_heads_are_split_as_attention_reads_them(llama: Path) -> None:
    tensors = layouts.llama_tensors()
    state = layouts.llama_weights().load(llama, dims=DIMS)
    kernel = np.asarray(state.blocks[1].attention.query.kernel[...])
    assert kernel.shape == (D, HEADS, HD)
    given = tensors["model.layers.1.self_attn.q_proj.weight"]
    x = np.arange(D, dtype=np.float32)
    there = given.astype(np.float32) @ x
    here = np.einsum("d,dnh->nh", x, kernel.astype(np.float32))
    assert np.allclose(here.reshape(-1), there)


def test_layers_are_stacked_for_a_scan(llama: Path) -> None:
    scanned = layouts.llama_weights(layouts.ScannedLlamaState, "").load(llama, dims=DIMS)
    lists = layouts.llama_weights().load(llama, dims=DIMS)
    kernel = scanned.blocks.mlp.up.kernel[...]
    assert kernel.shape == (LAYERS, D, layouts.HIDDEN)
    assert (kernel[2] == lists.blocks[2].mlp.up.kernel[...]).all()


def without(rules: tuple[Rule, ...], target: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.target != target)


def proof_of(llama: Path, *rules: Rule, ignore: tuple[str, ...] = layouts.ROTARY) -> list[str]:
    proof = Weights(layouts.LlamaState, *rules, ignore=ignore).prove(llama, dims=DIMS)
    assert not proof
    return [line.strip() for line in str(proof).splitlines()]


def test_a_forgotten_transpose_is_asked_for(llama: Path) -> None:
    rules = without(layouts.llama_rules(), "head.kernel")
    lines = proof_of(llama, *rules, Rule("lm_head.weight", "head.kernel"))
    assert lines[0] == f"{llama} does not map to LlamaState"
    assert lines[1] == ("head.kernel: is it transposed? the other order fits")
    assert lines[2] == (
        f'head.kernel: the shape is (32,{D}), but "din dout" is ({D},32) '
        f"with d={D} from embed.embedding, vocab=32 from embed.embedding [dim]"
    )


def test_ten_forgotten_transposes_are_each_asked_for(llama: Path) -> None:
    rules = [rule for rule in layouts.llama_rules() if not rule.transpose]
    turned = [rule for rule in layouts.llama_rules() if rule.transpose]
    forgotten = [Rule(rule.source, rule.target) for rule in turned]
    lines = proof_of(llama, *rules, *forgotten)
    asked = [line.split(":")[0] for line in lines if "is it transposed?" in line]
    assert asked == [rule.target for rule in turned]
    assert sum(line.startswith("head.kernel: the shape is ") for line in lines) == 1


def test_a_mapping_that_matches_nothing_says_so(llama: Path) -> None:
    rules = without(layouts.llama_rules(), "norm.scale")
    lines = proof_of(llama, *rules, Rule("transformer.norm.weight", "norm.scale"))
    assert lines[1:4] == [
        "no tensor is called transformer.norm.weight",
        "no rule takes model.norm.weight",
        "norm: missing, expected ScaleState [missing]",
    ]


def test_weights_that_another_mapping_leaves_untrained_are_missing(llama: Path) -> None:
    rules = without(layouts.llama_rules(), "blocks[{i}].mlp.gate.kernel")
    lines = proof_of(llama, *rules)
    assert lines[1].startswith("no rule takes model.layers.0.mlp.gate_proj.weight, model.layers.1.")
    assert sum("missing" in line for line in lines) == LAYERS


def test_a_leaf_is_written_once(llama: Path) -> None:
    again = Rule("model.embed_tokens.weight", "head.kernel", transpose=True)
    lines = proof_of(llama, *layouts.llama_rules(), again)
    assert lines[1] == "head.kernel: written twice"


def test_what_nobody_ignores_is_named(llama: Path) -> None:
    lines = proof_of(llama, *layouts.llama_rules(), ignore=())
    assert lines[1].startswith("no rule takes model.layers.0.self_attn.rotary_emb.inv_freq, ")


def test_nothing_is_loaded_without_a_proof(llama: Path) -> None:
    weights = Weights(layouts.LlamaState, *layouts.llama_rules())
    with pytest.raises(StateTypeError, match=r"no rule takes .*inv_freq"):
        weights.load(llama, dims=DIMS)


def test_sizes_that_a_configuration_has_are_asked_for(llama: Path) -> None:
    proof = layouts.llama_weights().prove(llama)
    assert proof.faults[0] == (
        "blocks[0].attention.query.kernel: "
        "'(heads hd) d -> d heads hd': dims= says how large heads is"
    )
    wrong = layouts.llama_weights().prove(llama, dims={"heads": 5, "kv": 2})
    assert wrong.faults[0] == (
        "blocks[0].attention.query.kernel: "
        "'(heads hd) d -> d heads hd': an axis of 12 is not (heads=5)"
    )


def test_a_gap_among_stacked_tensors(tmp_path: Path) -> None:
    tensors = layouts.moe_tensors()
    del tensors["model.layers.0.block_sparse_moe.experts.2.w2.weight"]
    save_file(tensors, tmp_path / "x.safetensors")
    proof = layouts.moe_weights().prove(tmp_path / "x.safetensors")
    assert proof.faults == (
        "model.layers.{i}.block_sparse_moe.experts.{e}.w2.weight: the numbers for {e} have a gap",
    )


def test_a_tied_tensor_has_two_leaves_and_a_cast(tmp_path: Path) -> None:
    class Tied(layouts.TypedState):
        embed: layouts.Bind[layouts.EmbedState, "vocab d"]
        head: layouts.Bind[layouts.EmbedState, "vocab d"]

    save_file({"wte.weight": np.ones((3, 2), np.float32)}, tmp_path / "x.safetensors")
    both = ("embed.embedding", "head.embedding")
    weights = Weights(Tied, Rule("wte.weight", both, dtype=jnp.bfloat16))
    state = weights.load(tmp_path / "x.safetensors")
    assert state.head.embedding[...].dtype == ml_dtypes.bfloat16
    assert dict(weights.tensors(state)).keys() == {"wte.weight"}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"axes": "a b"}, "'a b': write axes as 'o i -> i o'"),
        ({"axes": "a b -> a c"}, "'a b -> a c': each name stands once on either side"),
        ({"axes": "a b -> b a", "transpose": True}, "b: axes= or transpose=True, not both"),
        ({"split": 0}, "b: split= wants several targets"),
        ({"source": ("a", "c")}, "b: several sources want concat="),
        ({"target": "b[{j}]"}, "'b[{j}]': a hole that 'a' doesn't have"),
    ],
)
def test_a_rule_that_can_mean_nothing(rule: dict[str, Any], reason: str) -> None:
    with pytest.raises(AxesError) as error:
        Rule(**{"source": "a", "target": "b", **rule})
    assert str(error.value) == reason


def test_a_file_with_our_own_names_needs_no_mapping(tmp_path: Path) -> None:
    tensors = {"kernel": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.float32)}
    save_file(tensors, tmp_path / "x.safetensors")
    state = restore(tmp_path / "x.safetensors", layouts.DenseState).state
    assert (state.kernel[...] == 1).all()
    assert inspect(tmp_path / "x.safetensors").format == "safetensors"


def test_a_proposal_is_source_that_a_person_reads(llama: Path) -> None:
    sizes = {"vocab": 32, "d": D, "heads": HEADS, "kv": 2, "hd": HD, "hidden": 20, "layers": LAYERS}
    proposal = propose(llama, layouts.LlamaState, dims=sizes)
    wanted = {(rule.source, rule.target) for rule in layouts.llama_rules()}
    assert {(rule.source, rule.target) for rule in proposal.rules} == wanted
    lines = str(proposal).splitlines()
    assert lines[0] == "# A proposal, by names and shapes: read every line, then Weights.prove it."
    assert "Rule('lm_head.weight', 'head.kernel', transpose=True)," in lines
    assert "# no leaf for model.layers.{i}.self_attn.rotary_emb.inv_freq" in lines
    assert proposal.to_dict()["unplaced"] == list(proposal.unplaced)
    assert (
        "Rule('model.layers.{i}.self_attn.k_proj.weight', 'blocks[{i}].attention.key.kernel', "
        "axes='(kv a) d -> d kv a'),"
    ) in lines
    assert "# in axes: dims={'a': 3}" in lines  # the size of both hd and layers
    weights = Weights(layouts.LlamaState, *proposal.rules, ignore=proposal.unplaced)
    assert weights.prove(llama, dims={"heads": HEADS, "kv": 2, **proposal.sizes})


@pytest.mark.parametrize("way", ["verify", "restore"])
def test_a_size_of_no_dim_is_refused(way: str, tmp_path: Path) -> None:
    tensors = {"kernel": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.float32)}
    save_file(tensors, tmp_path / "x.safetensors")
    asked = verify if way == "verify" else restore
    said = r"^DenseState has no dim 'dim': it has din, dout$"
    with pytest.raises(SchemaError, match=said):
        asked(tmp_path / "x.safetensors", layouts.DenseState, dims={"dim": 2})


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
@pytest.mark.parametrize("way", ["list", "stack"])
def test_no_more_memory_than_a_tensor_beside_the_result(way: str, tmp_path: Path) -> None:
    for name, size in (("small", 4), ("large", 2048)):
        ones = np.ones((size, size), np.float32)
        save_file({f"m.{i}.weight": ones for i in range(16)}, tmp_path / f"{name}.safetensors")
    script = [sys.executable, "-W", "ignore", "-m", "tests.checkpoint.memory_of_load"]
    found = subprocess.run(
        [*script, str(tmp_path / "large.safetensors"), way],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout
    result, tensor, taken = map(int, found.split())
    assert result == 16 * tensor
    assert taken < 1.5 * result, "a second whole one beside it"
