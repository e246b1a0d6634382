"""Models whose metadata names their axes: roles, stacks on any axis, the classes of one kernel."""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx

from tests.inference.inferred import built, code
from tests.zoo.logical_decoder import (
    Attention,
    Decoder,
    DecoderLayer,
    DenseGeneral,
    MlpBlock,
    RMSNorm,
    ScannedDecoder,
    Transformer,
)
from typedstate import Abstract, explain, infer, to_source


def text_of(make: Any, **options: Any) -> str:
    """The classes of an inferred schema, which fits what it is inferred from."""
    model = nnx.eval_shape(make)
    schema = infer(model, **options)
    assert explain(nnx.state(model), Abstract[schema])
    return to_source(schema).partition("\n\n\n")[2]


def class_in(text: str, name: str) -> str:
    """A class of a source."""
    found: list[str] = [part for part in text.split("\n\n\n") if part.startswith(f"class {name}(")]
    return found[0].rstrip() + "\n"


def test_logical_names_are_roles_and_each_partition_is_a_class() -> None:
    assert text_of(lambda: Attention(16, 4, 2, 6, sinks=True)) == code("""
        class QueryDenseGeneralState(TypedState):
            kernel: Annotated[nnx.Param[Float[Array, "d heads head_dim"]], P("embed", "q_heads", "kv")]


        class KeyDenseGeneralState(TypedState):
            kernel: Annotated[nnx.Param[Float[Array, "d kv_heads head_dim"]], P("embed", "kv_heads", "kv")]


        class OutDenseGeneralState(TypedState):
            kernel: Annotated[nnx.Param[Float[Array, "heads head_dim d"]], P("heads", "kv", "embed")]


        class AttentionState(TypedState):
            query: Bind[QueryDenseGeneralState, "d heads head_dim"]
            key: Bind[KeyDenseGeneralState, "d kv_heads head_dim"]
            value: Bind[KeyDenseGeneralState, "d kv_heads head_dim"]
            out: Bind[OutDenseGeneralState, "heads head_dim d"]
            sinks: nnx.Param[Float[Array, "heads"]]
        """)  # noqa: E501


def test_two_numbered_gates_are_fields_before_what_follows_their_loop() -> None:
    text = text_of(lambda: MlpBlock(16, 40, nnx.Rngs(0)))
    assert class_in(text, "MlpBlockState") == code("""
        class MlpBlockState(TypedState):
            wi_0: Bind[WiDenseGeneralState, "d hidden"]
            wi_1: Bind[WiDenseGeneralState, "d hidden"]
            dropout: DropoutState
            wo: Bind[WoDenseGeneralState, "hidden d"]
        """)


def test_layers_of_a_decoder_are_counted() -> None:
    text = text_of(lambda: Transformer(rngs=nnx.Rngs(0)))
    assert text.partition("class DecoderState")[2] == code("""
        (
            TypedState,
            extra={"layers_{len=layers}": Bind[DecoderLayerState, "d heads head_dim kv_heads hidden"]},
        ):
            position_embedder: Bind[EmbedState, "d"]
            norm: Bind[RMSNormState, "d"]
            logits_dense: Bind[LogitsDenseGeneralState, "d vocab"]


        class TransformerState(TypedState):
            token_embedder: Bind[EmbedState, "vocab d"]
            decoder: Bind[DecoderState, "d vocab"]
        """)  # noqa: E501


def test_two_sorts_of_layers_are_two_patterns_and_a_gate_chooses_experts() -> None:
    text = text_of(lambda: Decoder(4, 2, experts=5, rngs=nnx.Rngs(0)))
    assert class_in(text, "RoutedMoEState") == code("""
        class RoutedMoEState(TypedState):
            gate: Bind[GateDenseGeneralState, "d dout=experts"]
            wi_0: Annotated[nnx.Param[Float[Array, "experts d hidden"]], P("exp", "embed_moe", "mlp_moe")]
            wi_1: Annotated[nnx.Param[Float[Array, "experts d hidden"]], P("exp", "embed_moe", "mlp_moe")]
            wo: Annotated[nnx.Param[Float[Array, "experts hidden d"]], P("exp", "mlp_moe", "embed_moe")]
        """)  # noqa: E501
    assert '"dense_layers_{len=dense_layers}": Bind[' in text
    assert '"moe_layers_{len=moe_layers}": Bind[' in text


def test_an_axis_of_another_name_keeps_it_and_one_for_q_k_and_v_is_three() -> None:
    def Fused(self: Any) -> None:
        self.qkv_proj = DenseGeneral(("embed", 16), ("qkv", 3), ("heads", 4), ("kv", 6))
        self.wi = DenseGeneral(("embed", 16), ("num_activations", 2), ("mlp", 32))

    text = text_of(lambda: built(Fused))
    assert '"d 3 heads head_dim"' in text
    assert '"d num_activations hidden"' in text


def test_names_of_a_mesh_are_no_roles() -> None:
    def Net(self: Any) -> None:
        self.up = DenseGeneral(("fsdp", 8), ("tensor", 6), ("model", 4))

    assert 'Float[Array, "n kernel_n n2"]' in text_of(lambda: built(Net))


def test_what_a_norm_of_queries_normalises_may_be_no_head() -> None:
    def Latent(self: Any) -> None:
        self.wq_a = DenseGeneral(("embed", 16), ("q_lora", 5))
        self.q_norm = RMSNorm(5)
        self.wq_b = DenseGeneral(("q_lora", 5), ("q_heads", 4), ("kv", 6))

    text = text_of(lambda: built(Latent))
    assert class_in(text, "LatentState") == code("""
        class LatentState(TypedState):
            wq_a: Bind[WqADenseGeneralState, "d q_lora"]
            q_norm: Bind[RMSNormState, "d=q_lora"]
            wq_b: Bind[WqBDenseGeneralState, "q_lora"]
        """)


@pytest.mark.skipif(
    not hasattr(nnx, "List"), reason="in this Flax a dropout's stream is not stacked with it"
)
def test_params_that_are_stacked_on_another_axis_than_streams() -> None:
    text = text_of(lambda: ScannedDecoder(rngs=nnx.Rngs(0)))
    assert 'Float[Array, "d heads head_dim"]], P("embed", "q_heads", "kv")' in text
    assert class_in(text, "ScannedDecoderState") == code("""
        class ScannedDecoderState(TypedState):
            norm: Bind[RMSNormState, "d"]
            layers: Stacked[
                Stacked[Bind[DecoderLayerState, "d"], "layers", Axis(1, "layers"), nnx.Param],
                "layers",
                nnx.RngKey,
                nnx.RngCount,
            ]
        """)


def test_a_stack_is_found_where_some_of_its_leaves_have_no_names() -> None:
    class Sunk(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.attention = Attention(16, 4, 2, 6, sinks=True)
            self.gate = DenseGeneral(("embed", 16), ("", 7), rank=1)

    class Net(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            make = nnx.vmap(
                Sunk,
                in_axes=None,
                axis_size=3,
                out_axes=nnx.StateAxes({nnx.Param: 1, ...: 0}),
                transform_metadata={nnx.PARTITION_NAME: "layers"},
            )
            self.layers = make(nnx.Rngs(0))

    text = text_of(lambda: Net(nnx.Rngs(0)))
    assert 'layers: Stacked[Bind[SunkState, "d"], "layers", Axis(1, "layers")]' in text
    assert "sinks: nnx.Param[Float[Array, " in text


@pytest.mark.parametrize("fix", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda layers: Transformer(layers, rngs=nnx.Rngs(0)),
        lambda layers: Decoder(layers, 1, experts=5, rngs=nnx.Rngs(0)),
        lambda layers: ScannedDecoder(layers, rngs=nnx.Rngs(0)),
    ],
)
def test_another_number_of_layers_fits_unless_sizes_are_fixed(make: Any, *, fix: bool) -> None:
    schema = Abstract[infer(nnx.eval_shape(lambda: make(3)), fix=fix)]
    for layers in (3, 4):
        state = nnx.state(nnx.eval_shape(lambda layers=layers: make(layers)))
        assert bool(explain(state, schema)) == (layers == 3 or not fix)


def test_a_module_that_stands_elsewhere_too_has_no_empty_class() -> None:
    class Inner(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.rngs = rngs

    class Outer(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.a_rngs = rngs
            self.inner = Inner(rngs)
            self.layer = DecoderLayer(nnx.Rngs(1))

    assert "inner" not in text_of(lambda: Outer(nnx.Rngs(0)))
