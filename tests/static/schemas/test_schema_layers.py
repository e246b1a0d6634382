"""The catalogue's schemas of Flax's layers: what their leaves are to a type checker."""

from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.nnx.training.metrics import MetricState
from schema_models import seen

from typedstate import StateMap, check
from typedstate.layers import (
    AccuracyState,
    AverageState,
    BatchNormState,
    BidirectionalState,
    Chain,
    ConvState,
    ConvTransposeState,
    DropoutState,
    EinsumState,
    EMAState,
    EmbedState,
    GroupNormState,
    GRUCellState,
    InputGateState,
    InstanceNormState,
    LayerNormState,
    LinearGeneralState,
    LinearState,
    LoRALinearState,
    LoRAState,
    LoRAWithBaseState,
    LSTMCellState,
    MergeHeadsState,
    MultiHeadAttentionState,
    MultiMetricState,
    OptimizedLSTMCellState,
    PReLUState,
    RMSNormState,
    RngsState,
    RngStreamState,
    RNNState,
    RoPEState,
    SequentialState,
    SimpleCellState,
    SpectralNormState,
    SplitHeadsState,
    WeightNormState,
    WelfordState,
)

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]
Mask = jax.Array | np.ndarray[Any, Any] | None


def rngs() -> nnx.Rngs:
    return nnx.Rngs(0, dropout=1)


def linear() -> nnx.Linear:
    return nnx.Linear(2, 3, rngs=rngs())


def test_linear_layers() -> None:
    state = LinearState.of(linear())
    seen(assert_type(state, LinearState), nnx.State)
    seen(assert_type(state.kernel, Param), nnx.Param)
    assert "bias" in state
    seen(assert_type(state.bias, Param | None), nnx.Param)
    general = LinearGeneralState.of(nnx.LinearGeneral(2, (3, 4), rngs=rngs()))
    seen(assert_type(general, LinearGeneralState), nnx.State)
    seen(assert_type(general.kernel, Param), nnx.Param)
    einsum = EinsumState.of(nnx.Einsum("abc,cd->abd", (3, 4), rngs=rngs()))
    seen(assert_type(einsum, EinsumState), nnx.State)
    seen(assert_type(einsum.kernel, Param), nnx.Param)
    conv = ConvState.of(nnx.Conv(2, 3, (3,), mask=jnp.ones((3, 2, 3)), rngs=rngs()))
    seen(assert_type(conv, ConvState), nnx.State)
    assert "mask" in conv
    seen(assert_type(conv.mask, Mask), jax.Array)
    transposed = ConvTransposeState.of(nnx.ConvTranspose(2, 3, (3,), rngs=rngs()))
    seen(assert_type(transposed, ConvTransposeState), nnx.State)
    seen(assert_type(transposed.kernel, Param), nnx.Param)
    embed = EmbedState.of(nnx.Embed(5, 3, rngs=rngs()))
    seen(assert_type(embed, EmbedState), nnx.State)
    seen(assert_type(embed.embedding, Param), nnx.Param)
    prelu = PReLUState.of(nnx.PReLU())
    seen(assert_type(prelu, PReLUState), nnx.State)
    seen(assert_type(prelu.negative_slope, Param), nnx.Param)


def test_a_layer_of_newer_flax() -> None:
    table = nnx.Variable(jnp.ones((2, 3)))
    rope = check(nnx.State({"cached_sin": table, "cached_cos": table}), RoPEState)
    seen(assert_type(rope, RoPEState), nnx.State)
    assert "cached_sin" in rope
    seen(assert_type(rope.cached_sin, nnx.Variable[jax.Array] | None), nnx.Variable)


def test_normalization() -> None:
    batch = BatchNormState.of(nnx.BatchNorm(4, rngs=rngs()))
    seen(assert_type(batch, BatchNormState), nnx.State)
    seen(assert_type(batch.mean, BatchStat), nnx.BatchStat)
    assert "scale" in batch
    seen(assert_type(batch.scale, Param | None), nnx.Param)
    layer = LayerNormState.of(nnx.LayerNorm(4, rngs=rngs()))
    seen(assert_type(layer, LayerNormState), nnx.State)
    seen(assert_type(RMSNormState.of(nnx.RMSNorm(4, rngs=rngs())), RMSNormState), nnx.State)
    group = GroupNormState.of(nnx.GroupNorm(4, num_groups=2, rngs=rngs()))
    seen(assert_type(group, GroupNormState), nnx.State)
    instance = InstanceNormState.of(nnx.InstanceNorm(4, rngs=rngs()))
    seen(assert_type(instance, InstanceNormState), nnx.State)
    weight = WeightNormState[LinearState].of(nnx.WeightNorm(linear(), rngs=rngs()))
    seen(assert_type(weight, WeightNormState[LinearState]), nnx.State)
    seen(assert_type(weight.layer_instance.kernel, Param), nnx.Param)
    spectral = SpectralNormState[LinearState].of(nnx.SpectralNorm(linear(), rngs=rngs()))
    seen(assert_type(spectral, SpectralNormState[LinearState]), nnx.State)
    assert "batch_stats" in spectral
    seen(assert_type(spectral.batch_stats, nnx.State[Any, BatchStat] | None), nnx.State)


def test_attention() -> None:
    state = MultiHeadAttentionState.of(nnx.MultiHeadAttention(2, 4, 8, 5, rngs=rngs()))
    seen(assert_type(state, MultiHeadAttentionState), nnx.State)
    seen(assert_type(state.query, SplitHeadsState), nnx.State)
    seen(assert_type(state.query.kernel, Param), nnx.Param)
    seen(assert_type(state.out, MergeHeadsState), nnx.State)
    seen(assert_type(state.out.kernel, Param), nnx.Param)


def test_recurrent_cells() -> None:
    lstm = LSTMCellState.of(nnx.LSTMCell(2, 3, rngs=rngs()))
    seen(assert_type(lstm, LSTMCellState), nnx.State)
    seen(assert_type(lstm.if_, InputGateState), nnx.State)
    seen(assert_type(lstm.hf, LinearState), nnx.State)
    optimized = OptimizedLSTMCellState.of(nnx.OptimizedLSTMCell(2, 3, rngs=rngs()))
    seen(assert_type(optimized, OptimizedLSTMCellState), nnx.State)
    seen(assert_type(optimized.dense_h.kernel, Param), nnx.Param)
    gru = GRUCellState.of(nnx.GRUCell(2, 3, rngs=rngs()))
    seen(assert_type(gru, GRUCellState), nnx.State)
    simple = SimpleCellState.of(nnx.SimpleCell(2, 3, rngs=rngs()))
    seen(assert_type(simple, SimpleCellState), nnx.State)
    rnn = nnx.RNN(nnx.GRUCell(2, 3, rngs=rngs()))
    run = RNNState[GRUCellState].of(rnn)
    seen(assert_type(run, RNNState[GRUCellState]), nnx.State)
    seen(assert_type(run.cell.dense_i.kernel, Param), nnx.Param)
    two = BidirectionalState[RNNState[GRUCellState], RNNState[GRUCellState]].of(
        nnx.Bidirectional(rnn, nnx.RNN(nnx.GRUCell(2, 3, rngs=rngs())))
    )
    seen(
        assert_type(two, BidirectionalState[RNNState[GRUCellState], RNNState[GRUCellState]]),
        nnx.State,
    )
    seen(assert_type(two.backward_rnn.cell, GRUCellState), nnx.State)


def test_random_streams() -> None:
    stream = RngStreamState.of(rngs()["dropout"])
    seen(assert_type(stream, RngStreamState), nnx.State)
    seen(assert_type(stream.key, nnx.RngKey), nnx.RngKey)
    seen(assert_type(stream.count, nnx.RngCount), nnx.RngCount)
    streams = check(nnx.state(rngs()), RngsState)
    seen(assert_type(streams, RngsState), nnx.State)
    seen(assert_type(streams["dropout"].key, nnx.RngKey), nnx.RngKey)
    dropout = DropoutState.of(nnx.Dropout(0.1, rngs=rngs()))
    seen(assert_type(dropout, DropoutState), nnx.State)
    assert "rngs" in dropout
    seen(assert_type(dropout.rngs, RngStreamState | RngsState | None), nnx.State)


def test_lora() -> None:
    lora = LoRAState.of(nnx.LoRA(2, 1, 3, rngs=rngs()))
    seen(assert_type(lora, LoRAState), nnx.State)
    seen(assert_type(lora.lora_a, nnx.LoRAParam[jax.Array]), nnx.LoRAParam)
    based = LoRAWithBaseState[LinearState].of(nnx.LoRA(2, 1, 3, base_module=linear(), rngs=rngs()))
    seen(assert_type(based, LoRAWithBaseState[LinearState]), nnx.State)
    seen(assert_type(based.base_module.kernel, Param), nnx.Param)
    dense = LoRALinearState.of(nnx.LoRALinear(2, 3, lora_rank=1, rngs=rngs()))
    seen(assert_type(dense, LoRALinearState), nnx.State)
    seen(assert_type(dense.lora.lora_b, nnx.LoRAParam[jax.Array]), nnx.LoRAParam)


def test_containers() -> None:
    layers = nnx.Sequential(linear(), nnx.relu, nnx.BatchNorm(3, rngs=rngs()))
    chain = SequentialState[Chain[LinearState, None, BatchNormState]].of(layers)
    seen(assert_type(chain, SequentialState[Chain[LinearState, None, BatchNormState]]), nnx.State)
    seen(assert_type(chain.layers[2].mean, BatchStat), nnx.BatchStat)
    like = SequentialState[StateMap[int, LinearState]].of(nnx.Sequential(linear()))
    seen(assert_type(like.layers[0].kernel, Param), nnx.Param)
    average = EMAState[LinearState].of(nnx.EMA(linear(), 0.9))
    seen(assert_type(average, EMAState[LinearState]), nnx.State)
    seen(assert_type(average.params.kernel, Param), nnx.Param)


def test_metrics() -> None:
    average = AverageState.of(nnx.metrics.Average())
    seen(assert_type(average, AverageState), nnx.State)
    seen(assert_type(average.total, MetricState), MetricState)
    seen(assert_type(AccuracyState.of(nnx.metrics.Accuracy()), AccuracyState), nnx.State)
    welford = WelfordState.of(nnx.metrics.Welford())
    seen(assert_type(welford, WelfordState), nnx.State)
    seen(assert_type(welford.m2, MetricState), MetricState)
    multi: Any = nnx.MultiMetric  # its constructor has no annotations
    many = multi(loss=nnx.metrics.Average("loss"), accuracy=nnx.metrics.Accuracy())
    states = check(nnx.state(many), MultiMetricState)
    seen(assert_type(states, MultiMetricState), nnx.State)
    seen(assert_type(states["loss"], AverageState | WelfordState), nnx.State)
