"""What is read from a state whose schema is known, at every depth."""

from typing import assert_type

import jax
from flax import nnx
from schema_models import (
    BlockState,
    LinearState,
    NormState,
    Numbered,
    OpenState,
    Pair,
    StreamState,
    Twins,
    linear_state,
    model_state,
    seen,
)

from typedstate import Entries, StateMap

Param = nnx.Param[jax.Array]


def test_attributes_at_every_depth() -> None:
    state = model_state()
    seen(assert_type(state.blocks, StateMap[int, BlockState]), nnx.State)
    seen(assert_type(state.blocks[0], BlockState), nnx.State)
    seen(assert_type(state.blocks[0].up, LinearState), nnx.State)
    seen(assert_type(state.blocks[0].up.kernel, Param), nnx.Param)
    seen(assert_type(state.blocks[0].up.kernel[...], jax.Array), jax.Array)
    seen(assert_type(state.blocks[1].norm.mean, nnx.BatchStat[jax.Array]), nnx.BatchStat)
    seen(assert_type(state.blocks[1].dropout, StreamState), nnx.State)
    seen(assert_type(state.blocks[1].dropout.key, nnx.RngKey), nnx.RngKey)
    seen(assert_type(state.temperature, jax.Array), jax.Array)


def test_an_optional_leaf() -> None:
    state = linear_state()
    assert "bias" in state
    seen(assert_type(state.bias, Param | None), nnx.Param)
    if state.bias is not None:
        seen(assert_type(state.bias, Param), nnx.Param)


def test_a_map_is_indexed_and_iterated() -> None:
    blocks = model_state().blocks
    for key in blocks:
        seen(assert_type(key, int), int)
    for key, block in blocks.items():
        seen(assert_type(key, int), int)
        seen(assert_type(block, BlockState), nnx.State)
    for block in blocks.values():
        seen(assert_type(block.up.kernel, Param), nnx.Param)
    seen(assert_type(blocks.get(0), BlockState | None), nnx.State)
    seen(assert_type(blocks.get(9, 3), BlockState | int), int)  # ty: ignore[type-assertion-failure]  # it keeps the literal
    seen(assert_type(len(blocks), int), int)
    seen(assert_type(0 in blocks, bool), bool)
    heads = model_state().heads
    seen(assert_type(heads, StateMap[str, LinearState]), nnx.State)
    seen(assert_type(heads["a"].kernel, Param), nnx.Param)
    seen(assert_type(sorted(heads), list[str]), list)


def test_entries_by_literal_index() -> None:
    stem = model_state().stem
    seen(assert_type(stem, Entries[LinearState, None, NormState]), nnx.State)
    seen(assert_type(stem[0], LinearState), nnx.State)
    seen(assert_type(stem[0].kernel, Param), nnx.Param)
    seen(assert_type(stem[2], NormState), nnx.State)
    seen(assert_type(stem[2].mean, nnx.BatchStat[jax.Array]), nnx.BatchStat)


def test_assignment() -> None:
    state = model_state()
    state.blocks[0].up.kernel = state.blocks[1].up.kernel
    state.blocks[0].up = state.blocks[1].up
    state.blocks[0] = state.blocks[1]
    seen(assert_type(state.blocks[0].up.kernel, Param), nnx.Param)


def test_generic_schemas() -> None:
    linear = linear_state()
    pair = Pair[LinearState]({"first": linear, "second": linear})
    seen(assert_type(pair, Pair[LinearState]), nnx.State)
    seen(assert_type(pair.second.kernel, Param), nnx.Param)
    maps = Pair[StateMap[int, LinearState]]({"first": {0: linear}, "second": {0: linear}})
    seen(assert_type(maps.first[0].kernel, Param), nnx.Param)


def test_inheritance() -> None:
    linear = linear_state()
    twins = Twins({"first": linear, "second": linear, "gate": nnx.Param(jax.numpy.ones(()))})
    seen(assert_type(twins.first.kernel, Param), nnx.Param)
    seen(assert_type(twins.gate, Param), nnx.Param)

    def first(pair: Pair[LinearState]) -> LinearState:
        return pair.first

    seen(assert_type(first(twins), LinearState), nnx.State)


def test_extra_keys() -> None:
    gate = nnx.Param(jax.numpy.ones(()))
    opened = OpenState({"gate": gate, "more": gate})
    seen(assert_type(opened.gate, Param), nnx.Param)
    numbered = Numbered({"gate": gate, "layers_0": linear_state()})
    seen(assert_type(numbered.gate, Param), nnx.Param)
