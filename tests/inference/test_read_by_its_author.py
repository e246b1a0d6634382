"""What a person who knows a model would change in its inferred schema, kind by kind."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from tests.inference.inferred import built, code, conv, linear, said
from tests.zoo import list_of
from tests.zoo.published import Norm, Projection


def test_the_gates_of_a_t5_are_of_one_width() -> None:
    def Gated(self: Any) -> None:
        self.wi_0 = linear(4, 6)
        self.wi_1 = linear(4, 6)
        self.wo = linear(6, 4)

    assert said(built(Gated)) == code("""
        class GatedState(TypedState):
            wi_0: Bind[LinearState, "din=d dout=hidden"]
            wi_1: Bind[LinearState, "din=d dout=hidden"]
            wo: Bind[LinearState, "din=hidden dout=d"]
        """)


def test_a_weight_of_keys_and_values_has_two_of_them() -> None:
    def Attention(self: Any) -> None:
        self.q_einsum = Projection("BTD,NDH->BTNH", (6, 8, 5), nnx.Rngs(0))
        self.kv_einsum = Projection("BSD,CKDH->CBSKH", (2, 3, 8, 5), nnx.Rngs(0))

    source = said(built(Attention))
    assert '    w: nnx.Param[Float[Array, "2 heads d head_dim"]]' in source
    assert '    kv_einsum: Bind[ProjectionState, "d head_dim"]' in source


def test_the_longer_axis_of_tokens_is_theirs() -> None:
    def Tokens(self: Any) -> None:
        self.mask_tokens = nnx.Param(jnp.zeros((3, 1, 1, 8)))
        self.cls_token = nnx.Param(jnp.zeros((1, 1, 8)))

    assert said(built(Tokens)) == code("""
        class TokensState(TypedState):
            mask_tokens: nnx.Param[Float[Array, "tokens 1 1 d"]]
            cls_token: nnx.Param[Float[Array, "1 1 d"]]
        """)


def test_a_table_of_positions_has_as_many_as_there_are_ids() -> None:
    def Positions(self: Any) -> None:
        self.position_embedding = nnx.Embed(9, 4, rngs=nnx.Rngs(0))
        self.position_ids = nnx.Variable(jnp.arange(9)[None])

    assert said(built(Positions)) == code("""
        class PositionsState(TypedState):
            position_embedding: Bind[EmbedState, "vocab=positions features=d"]
            position_ids: Exactly[nnx.Variable[Int32[Array, "1 positions"]]]
        """)


def test_experts_are_counted_by_their_router() -> None:
    def Experts(self: Any) -> None:
        self.router = linear(4, 7, use_bias=False)
        self.up_proj = nnx.Param(jnp.zeros((7, 4, 6)))
        self.down_proj = nnx.Param(jnp.zeros((7, 6, 4)))

    assert said(built(Experts)) == code("""
        class ExpertsState(TypedState):
            router: Bind[LinearState, "din=d dout=experts"]
            up_proj: nnx.Param[Float[Array, "experts d hidden"]]
            down_proj: nnx.Param[Float[Array, "experts hidden d"]]
        """)


def test_what_is_not_written_takes_no_name() -> None:
    class MLP(nnx.Module):
        def __init__(self, hidden: int) -> None:
            self.up, self.down = linear(4, hidden), linear(hidden, 4)

    def Pooler(self: Any) -> None:
        self.cross = MLP(6)
        self.layers = list_of([MLP(9), MLP(9)])

    source = said(built(Pooler))
    assert '    layers: Bind[StateMap[int, Bind[MLPState, "d hidden"]], "len=layers"]' in source
    assert '    cross: Bind[MLPState, "d"]' in source


def test_the_dims_of_what_is_absent_here_are_not_linked() -> None:
    class Attention(nnx.Module):
        def __init__(self, *, biased: bool) -> None:
            self.query = linear(4, 6)
            self.bias_table = nnx.Embed(3, 2, rngs=nnx.Rngs(0)) if biased else None

    def Decoder(self: Any) -> None:
        self.own = list_of([Attention(biased=True), Attention(biased=True)])
        self.cross = list_of([Attention(biased=False), Attention(biased=False)])

    assert 'cross: Bind[StateMap[int, Bind[AttentionState, "d inner"]], ' in said(built(Decoder))


def test_the_last_layer_over_the_tokens_table_is_its_head_whatever_its_name() -> None:
    def Language(self: Any) -> None:
        self.wte = nnx.Embed(31, 8, rngs=nnx.Rngs(0))
        self.ln_f = Norm(8, nnx.Rngs(0))
        self.ff_out = linear(8, 31)

    assert said(built(Language)).endswith(
        code("""
        class LanguageState(TypedState):
            wte: Bind[EmbedState, "vocab features=d"]
            ln_f: Bind[NormState, "d"]
            ff_out: Bind[LinearState, "din=d dout=vocab"]
        """)
    )


def test_what_attention_projects_to_is_not_the_width_of_a_head_outside() -> None:
    class Attention(nnx.Module):
        def __init__(self) -> None:
            self.q_proj, self.o_proj = linear(8, 24), linear(24, 8)

    def Forecaster(self: Any) -> None:
        self.mix = Attention()
        self.out_proj = linear(8, 24)

    assert said(built(Forecaster)).endswith(
        code("""
        # mix.inner and out_proj.dout are both 24: a second size would settle whether they are one
        class ForecasterState(TypedState):
            mix: Bind[AttentionState, "d"]
            out_proj: Bind[LinearState, "din=d dout"]
        """)
    )


# -- Convolutions ------------------------------------------------------------------------------


class Halve(nnx.Module):
    def __init__(self, cin: int, cout: int) -> None:
        self.norm = nnx.BatchNorm(cin, rngs=nnx.Rngs(0))
        self.conv = conv(cin, cout, (1, 1), use_bias=False)


class Stage(nnx.Module):
    """As many norms as convolutions."""

    def __init__(self, count: int) -> None:
        self.norms = list_of([nnx.BatchNorm(4 + n, rngs=nnx.Rngs(0)) for n in range(count)])
        self.convs = list_of([conv(4 + n, 2) for n in range(count)])


def test_stages_of_equal_channels_by_accident_are_left_apart() -> None:
    def Dense(self: Any) -> None:
        self.stem = conv(3, 8)
        self.norm = nnx.BatchNorm(8, rngs=nnx.Rngs(0))
        self.stages = nnx.Sequential(Stage(2), Halve(16, 8), Stage(3), Halve(20, 16))
        self.linear = linear(16, 5)

    assert said(built(Dense)) == code("""
        class StageState(TypedState):
            norms: Bind[StateMap[int, BatchNormState], "len=norms"]
            convs: Bind[StateMap[int, Bind[ConvState, "dout=channels"]], "len=norms"]


        class HalveState(TypedState):
            norm: Bind[BatchNormState, "features=cin"]
            conv: Bind[ConvState, "din=cin dout=cout"]


        class DenseState(TypedState):
            stem: Bind[ConvState, "din=cin dout=cout"]
            norm: Bind[BatchNormState, "features=cout"]
            stages: SequentialState[
                Entries[StageState, HalveState, StageState, Bind[HalveState, "cout=channels"]]
            ]
            linear: Bind[LinearState, "din=channels dout"]
        """)


class Pair(nnx.Module):
    def __init__(self, cin: int, cout: int) -> None:
        self.enter = conv(cin, 7)
        self.middle = conv(7, 9)
        self.leave = conv(9, cout)


def test_of_an_autoencoder_the_ends_are_one_and_the_latent_is_not_the_image() -> None:
    def VAE(self: Any) -> None:
        self.encoder = Pair(3, 3)
        self.decoder = Pair(3, 3)

    assert said(built(VAE)).endswith(
        code("""
        class VAEState(TypedState):
            encoder: Bind[PairState, "cin channels hidden cout=encoder_channels"]
            decoder: Bind[PairState, "cin=encoder_channels channels hidden cout=cin"]
        """)
    )


def test_the_moments_of_an_encoder_are_its_latent_width() -> None:
    class Encoder(nnx.Module):
        def __init__(self) -> None:
            self.linear1 = linear(8, 6)
            self.mean, self.log_std = linear(6, 2), linear(6, 2)

    class Decoder(nnx.Module):
        def __init__(self) -> None:
            self.linear1, self.linear2 = linear(2, 6), linear(6, 8)

    def VAE(self: Any) -> None:
        self.encoder, self.decoder = Encoder(), Decoder()

    assert said(built(VAE)).endswith(
        code("""
        class VAEState(TypedState):
            encoder: Bind[EncoderState, "din=d latent"]
            decoder: Bind[DecoderState, "din=latent dout=d"]
        """)
    )


def test_of_like_stages_the_last_one_hands_on_its_channels() -> None:
    class Block(nnx.Module):
        def __init__(self, cin: int, cout: int, count: int = 2) -> None:
            self.layers = list_of([conv(cin, cout), *(conv(cout, cout) for _ in range(count))])

    def VGG(self: Any) -> None:
        self.s0, self.s1, self.s2 = Block(3, 6, 1), Block(6, 8), Block(8, 8)
        self.head_conv = conv(8, 12)

    assert said(built(VGG)).endswith(
        code("""
        # s1.channels and s2.channels are both 8: a second size would settle whether they are one
        class VGGState(TypedState):
            s0: BlockState
            s1: BlockState
            s2: Bind[BlockState, "channels"]
            head_conv: Bind[ConvState, "din=channels dout=cout"]
        """)
    )


def test_a_residual_block_of_one_size_keeps_its_channels() -> None:
    def Residual(self: Any) -> None:
        self.conv1, self.conv2 = conv(8, 8), conv(8, 8)
        self.norm = nnx.BatchNorm(8, rngs=nnx.Rngs(0))

    class Outer(nnx.Module):
        def __init__(self) -> None:
            self.block = built(Residual)

    assert said(Outer()).startswith(
        code("""
        class ResidualState(TypedState):
            conv1: Bind[ConvState, "din=channels dout=channels"]
            conv2: Bind[ConvState, "din=channels dout=channels"]
            norm: Bind[BatchNormState, "features=channels"]
        """)
    )


def test_the_class_of_a_fixed_convolution_of_ones_own_says_what_its_axes_are() -> None:
    class Causal(nnx.Conv):
        def __init__(self, din: int, dout: int, k: int) -> None:
            super().__init__(din, dout, (k, 3), rngs=nnx.Rngs(0))
            self.gain = nnx.Param(jnp.ones(()))

    def Net(self: Any) -> None:
        self.first, self.second = Causal(3, 8, 7), Causal(8, 5, 3)

    assert said(built(Net), fix=True) == code("""
        class CausalState(TypedState):
            kernel: nnx.Param[Float32[Array, "kh 3 cin cout"]]
            bias: nnx.Param[Float32[Array, "cout"]]
            gain: nnx.Param[Float32[Array, ""]]


        class NetState(TypedState):
            first: Bind[CausalState, "kh=7 cin=3 cout=8"]
            second: Bind[CausalState, "kh=3 cin=8 cout=5"]
        """)


def test_of_two_examples_what_varies_within_each_is_linked_by_its_roles() -> None:
    class Block(nnx.Module):
        def __init__(self, cin: int, cout: int) -> None:
            self.conv = conv(cin, cout)
            self.norm = nnx.BatchNorm(cout, rngs=nnx.Rngs(0))

    class Net(nnx.Module):
        def __init__(self, classes: int) -> None:
            self.blocks = list_of([Block(3, 6), Block(6, 9)])
            self.classifier = linear(9, classes)

    source = said(Net(5), Net(7))
    assert '    norm: Bind[BatchNormState, "features=cout"]' in source
    assert '    classifier: Bind[LinearState, "din=9 dout=classes"]' in source


def test_layers_below_are_called_layers_above() -> None:
    class Stack(nnx.Module):
        def __init__(self, layers: int) -> None:
            self.layers = list_of([linear(4, 4) for _ in range(layers)])

    class Tower(nnx.Module):
        def __init__(self, layers: int) -> None:
            self.vision = Stack(layers)
            self.text = Stack(layers + 1)

    source = said(Tower(2), Tower(3))
    assert '    vision: Bind[StackState, "layers"]' in source
    assert '    text: Bind[StackState, "layers=text_layers"]' in source


def test_what_some_places_have_empty_is_optional_where_others_have_leaves() -> None:
    class Stage(nnx.Module):
        def __init__(self, steps: int) -> None:
            self.down = list_of([conv(4, 4, (2, 2)), linear(4, 4)][:steps])
            self.mix = linear(4, 4)

    def Net(self: Any) -> None:
        self.first, self.second = Stage(0), Stage(2)

    assert said(built(Net)).startswith(
        "class StageState(TypedState):\n    down: (\n        Entries[\n"
    )
    assert "\n        | None\n" in said(built(Net))
