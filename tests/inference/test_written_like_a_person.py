"""What `infer` writes is what a person who knows the model would have written, to the letter."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests.inference.inferred import conv, linear, said
from tests.zoo import leaf, list_of
from tests.zoo.published import (
    GPT,
    ConvNet,
    Dense,
    DenseBlock,
    DiT,
    Llama,
    Scanned,
    Statistics,
    abstract,
)
from typedstate import Abstract, explain, infer, to_source

own_streams = pytest.mark.skipif(
    "dropout" not in nnx.state(GPT(rngs=nnx.Rngs(0)))["blocks"][1]["mlp"],
    reason="in this Flax dropouts share one stream: it stands in the first, and is not stacked",
)


def _source(hint: Any) -> str:
    """Its classes, without imports."""
    return to_source(hint).partition("\n\n\n")[2]


def _code(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


CASES: list[Any] = [
    pytest.param(
        GPT,
        """
        class MLPState(TypedState):
            up: Bind[LinearState, "din=d dout=hidden"]
            down: Bind[LinearState, "din=hidden dout=d"]
            dropout: DropoutState


        class BlockState(TypedState):
            norm1: Bind[LayerNormState, "features=d"]
            attn: Bind[MultiHeadAttentionState, "din=d heads head_dim dkv=d kv_heads=heads dout=d"]
            norm2: Bind[LayerNormState, "features=d"]
            mlp: Bind[MLPState, "d hidden"]


        class GPTState(TypedState):
            embed: Bind[EmbedState, "vocab features=d"]
            blocks: Bind[StateMap[int, Bind[BlockState, "d heads head_dim hidden"]], "len=layers"]
            norm: Bind[LayerNormState, "features=d"]
            head: Bind[LinearState, "din=d dout=vocab"]
        """,
        id="a GPT",
    ),
    pytest.param(
        partial(Llama, 31, 10, 34, 2),
        """
        class NormState(TypedState):
            w: nnx.Param[Float[Array, "d"]]


        class SplitHeadsState(TypedState):
            w: nnx.Param[Float[Array, "d heads head_dim"]]


        class MergeHeadsState(TypedState):
            w: nnx.Param[Float[Array, "heads head_dim d"]]


        class GroupedAttentionState(TypedState):
            q_proj: Bind[SplitHeadsState, "d heads head_dim"]
            k_proj: Bind[SplitHeadsState, "d heads=kv_heads head_dim"]
            v_proj: Bind[SplitHeadsState, "d heads=kv_heads head_dim"]
            o_proj: Bind[MergeHeadsState, "heads head_dim d"]
            q_bias: nnx.Param[Float[Array, "heads*head_dim"]]
            k_bias: nnx.Param[Float[Array, "kv_heads*head_dim"]]
            q_norm: Bind[NormState, "d=head_dim"]


        class GatedMLPState(TypedState):
            gate_proj: Bind[LinearState, "din=d dout=hidden"]
            up_proj: Bind[LinearState, "din=d dout=hidden"]
            down_proj: Bind[LinearState, "din=hidden dout=d"]


        class DecoderLayerState(TypedState):
            input_layernorm: Bind[NormState, "d"]
            attn: Bind[GroupedAttentionState, "d heads head_dim kv_heads"]
            mlp: Bind[GatedMLPState, "d hidden"]


        class ProjectionState(TypedState):
            w: nnx.Param[Float[Array, "din dout"]]


        class LlamaState(TypedState):
            embedder: Bind[EmbedState, "vocab features=d"]
            layers: Bind[
                StateMap[int, Bind[DecoderLayerState, "d heads head_dim kv_heads hidden"]],
                "len=layers",
            ]
            final_norm: Bind[NormState, "d"]
            lm_head: Bind[ProjectionState, "din=d dout=vocab"]
        """,
        id="grouped attention of the user's own einsums",
    ),
    pytest.param(
        DiT,
        """
        class MLPState(TypedState):
            up: Bind[LinearState, "din=d dout=hidden"]
            down: Bind[LinearState, "din=hidden dout=d"]
            dropout: DropoutState


        class BlockState(TypedState):
            norm1: Bind[LayerNormState, "features=d"]
            attn: Bind[MultiHeadAttentionState, "din=d heads head_dim dkv=d kv_heads=heads dout=d"]
            norm2: Bind[LayerNormState, "features=d"]
            mlp: Bind[MLPState, "d hidden"]


        class DiTState(TypedState):
            patch_embed: Bind[ConvState, "din=cin dout=d"]
            label_embed: Bind[EmbedState, "vocab=classes features=d"]
            blocks: Bind[StateMap[int, Bind[BlockState, "d heads head_dim hidden"]], "len=layers"]
            final_proj: Bind[LinearState, "din=d dout"]
        """,
        id="heads as wide as there are classes",
    ),
    pytest.param(
        ConvNet,
        """
        class ConvBlockState(TypedState):
            conv: Bind[ConvState, "din=cin dout=cout"]
            norm: Bind[BatchNormState, "features=cout"]


        class ConvNetState(TypedState):
            stem: Bind[ConvBlockState, "cin cout=channels"]
            block1: Bind[ConvBlockState, "cin=channels cout=block1_channels"]
            block2: Bind[ConvBlockState, "cin=block1_channels cout=block2_channels"]
            classifier: Bind[LinearState, "din=block2_channels dout=classes"]
        """,
        id="convolutions in a row",
    ),
    pytest.param(
        partial(DenseBlock, 8, 16),
        """
        class DenseState(TypedState):
            weight: nnx.Param[Float[Array, "din dout"]]
            bias: nnx.Param[Float[Array, "dout"]] | None


        class DenseBlockState(TypedState):
            mix: Bind[DenseState, "din=d dout=d"]
            fc1: Bind[DenseState, "din=d dout=hidden"]
            fc2: Bind[DenseState, "din=hidden dout=d"]
            scale: nnx.Param[Float[Array, "d"]]
        """,
        id="layers of the user's own",
    ),
    pytest.param(
        partial(Scanned, 8, 3),
        """
        class MLPState(TypedState):
            up: Bind[LinearState, "din=d dout=hidden"]
            down: Bind[LinearState, "din=hidden dout=d"]
            dropout: DropoutState


        class BlockState(TypedState):
            norm1: Bind[LayerNormState, "features=d"]
            attn: Bind[MultiHeadAttentionState, "din=d heads dkv=d kv_heads=heads dout=d"]
            norm2: Bind[LayerNormState, "features=d"]
            mlp: Bind[MLPState, "d"]


        class ScannedState(TypedState):
            embed: Bind[EmbedState, "vocab features=d"]
            blocks: Stacked[Bind[BlockState, "d"], "layers"]
        """,
        id="stacked layers",
        marks=own_streams,
    ),
]


@pytest.mark.parametrize(("make", "expected"), CASES)
def test_it_is_what_a_person_writes(make: Callable[..., Any], expected: str) -> None:
    model = abstract(make)
    schema = infer(model)
    assert _source(schema) == _code(expected)
    assert explain(nnx.state(model), Abstract[schema])


@pytest.mark.parametrize(("make", "expected"), CASES)
def test_the_source_gives_a_schema_of_the_same_source(make: Any, expected: str) -> None:
    del expected
    source = to_source(infer(abstract(make)))
    names: dict[str, Any] = {}
    exec(compile(source, "<inferred>", "exec"), names)
    assert to_source(list(names.values())[-1]) == source


def test_fields_stand_in_the_modules_order_though_eval_shape_sorts_them() -> None:
    source = _source(infer(abstract(GPT)))
    assert source.index("norm1:") < source.index("attn:") < source.index("norm2:")
    assert _source(infer(GPT(rngs=nnx.Rngs(0)))) == source


def test_a_leaf_of_the_plain_variable_class_is_exactly_that() -> None:
    assert _source(infer(Statistics())).splitlines()[1] == (
        '    seen: Exactly[nnx.Variable[Int32[Array, ""]]]'
    )


def test_what_only_looks_equal_is_left_apart_and_said() -> None:
    class Sides(nnx.Module):
        def __init__(self) -> None:
            self.enter = nnx.Linear(6, 9, rngs=nnx.Rngs(0))
            self.leave = nnx.Linear(9, 6, rngs=nnx.Rngs(0))

    assert _source(infer(Sides())) == _code("""
        # enter.din and leave.dout are both 6: a second size would settle whether they are one
        class SidesState(TypedState):
            enter: Bind[LinearState, "din dout=hidden"]
            leave: Bind[LinearState, "din=hidden dout"]
        """)


def test_sizes_are_numbers_where_they_are_meant() -> None:
    model = abstract(GPT)
    assert '"len=3"' in _source(infer(model, fix={"layers"}))
    fixed = infer(model, fix=True)
    assert 'embed: Bind[EmbedState, "vocab=31 features=8"]' in _source(fixed)
    assert not explain(nnx.state(abstract(partial(GPT, 31, 12))), Abstract[fixed])


def test_a_bias_that_some_instances_lack_is_optional() -> None:
    class Two(nnx.Module):
        def __init__(self) -> None:
            self.a = Dense(3, 4, nnx.Rngs(0))
            self.b = Dense(4, 5, nnx.Rngs(0), use_bias=False)

    assert '    bias: nnx.Param[Float[Array, "dout"]] | None\n' in _source(infer(Two()))


def test_unlike_entries_stand_by_position() -> None:
    class Head(nnx.Module):
        def __init__(self) -> None:
            rngs = nnx.Rngs(0)
            self.layers = list_of([nnx.LayerNorm(4, rngs=rngs), nnx.Linear(4, 7, rngs=rngs)])

    assert _source(infer(Head())) == _code("""
        class HeadState(TypedState):
            layers: Entries[Bind[LayerNormState, "features=d"], Bind[LinearState, "din=d dout"]]
        """)


def test_a_quantised_kernel_is_the_union_that_it_is() -> None:
    plain = leaf(nnx.Param, jnp.zeros((4, 6)))
    codes = leaf(nnx.Param, jnp.zeros((4, 6), jnp.int8))
    packed = {"qvalue": codes, "scale": leaf(nnx.Param, jnp.zeros((1, 6)))}
    tree = {"layers": {0: {"w": plain, "d": plain}, 1: {"w": packed, "d": plain}}}
    schema = infer(tree)
    assert explain(tree, schema)
    assert "qvalue: nnx.Param[Int8[Array" in _source(schema)


@own_streams
def test_a_checkpoint_without_modules_has_the_catalogues_layers_too() -> None:
    state = nnx.state(GPT(rngs=nnx.Rngs(0)))
    source = _source(infer(state))
    assert "MultiHeadAttentionState" in source
    assert 'mlp: Bind[MlpState, "hidden d"]' in source
    assert 'embed: Bind[EmbedState, "vocab features=d"]' in source


class Stages(nnx.Module):
    def __init__(self) -> None:
        self.convs = list_of([conv(4, 4), conv(4, 4)])


class Averaged(nnx.Module):
    """A model and a copy of it with other values."""

    def __init__(self) -> None:
        self.net, self.critic, self.net_ema = Stages(), linear(4, 1), Stages()


def test_a_copy_of_a_model_has_the_same_dims() -> None:
    text = said(Averaged())
    assert '    net: Bind[StagesState, "cin cout=channels"]\n' in text
    assert '    net_ema: Bind[StagesState, "cin cout=channels"]\n' in text
