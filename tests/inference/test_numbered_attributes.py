"""Attributes that a loop sets, ``layers_0``, ``layers_1`` and so on: one pattern with a count."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests import zoo
from tests.inference.inferred import built, code, conv, linear, said
from tests.zoo.published import DenseBlock
from typedstate import SchemaDocument, explain, infer, to_source


def in_loop(node: Any, name: str, count: int, make: Any) -> None:
    for index in range(count):
        setattr(node, name.format(index), make(index))


class Net(nnx.Module):
    """Blocks between two layers."""

    def __init__(self, layers: int = 4, d: int = 8) -> None:
        self.embed = nnx.Embed(31, d, rngs=nnx.Rngs(0))
        in_loop(self, "layers_{}", layers, lambda _: DenseBlock(d, 2 * d, nnx.Rngs(0)))
        self.head = linear(d, 31, use_bias=False)


def last_class(text: str) -> str:
    return text.rpartition("\n\n\n")[2]


def test_like_attributes_are_one_pattern_with_a_dim_for_their_number() -> None:
    assert last_class(said(Net())) == code("""
        class NetState(TypedState, extra={"layers_{len=layers}": Bind[DenseBlockState, "d hidden"]}):
            embed: Bind[EmbedState, "vocab features=d"]
            head: Bind[LinearState, "din=d dout=vocab"]
        """)  # noqa: E501


def test_another_number_fits_and_a_gap_does_not() -> None:
    schema = infer(Net())
    assert explain(nnx.state(Net(7)), schema).dims["layers"] == 7
    state = nnx.state(Net())
    del state["layers_1"]
    assert [str(item) for item in explain(state, schema).violations] == [
        "layers_1: missing, expected DenseBlockState (a gap in the keys) [missing]"
    ]


def test_fixed_and_varied_numbers() -> None:
    assert '"layers_{len=4}": DenseBlockState' in said(Net(), fix=True)
    varied = to_source(infer(Net, vary={"layers": (2, 4), "d": (8, 12)}))
    assert '"layers_{len=layers}": Bind[DenseBlockState, "d"]' in varied
    assert '"layers_{len=4}": DenseBlockState' in to_source(infer(Net(), Net()))
    assert '"layers_{len=layers}": DenseBlockState' in to_source(infer(Net(1), Net(2)))


def test_the_number_is_a_dim_that_siblings_share() -> None:
    """What the code makes as often, at each of several places, has one count."""

    def Pair(self: Any) -> None:
        self.first, self.second = Tower(2), Tower(3)

    class Tower(nnx.Module):
        def __init__(self, depth: int) -> None:
            in_loop(self, "block_{}", depth, lambda _: DenseBlock(8, 16, nnx.Rngs(0)))
            in_loop(self, "norm_{}", depth, lambda _: nnx.LayerNorm(8, rngs=nnx.Rngs(0)))
            self.listed = zoo.list_of([nnx.LayerNorm(8, rngs=nnx.Rngs(0)) for _ in range(depth)])

    text = said(built(Pair))
    assert '"block_{len=layers}": Bind[DenseBlockState, "d hidden"]' in text
    assert '"norm_{len=layers}": Bind[LayerNormState, "features=d"]' in text
    assert 'listed: Bind[StateMap[int, Bind[LayerNormState, "features=d"]], "len=layers"]' in text


def test_parts_of_one_block_have_one_number() -> None:
    def Flattened(self: Any) -> None:
        for index in range(3):
            setattr(self, f"block_{index}_norm", nnx.LayerNorm(8, rngs=nnx.Rngs(0)))
            setattr(self, f"block_{index}_mlp", DenseBlock(8, 16, nnx.Rngs(0)))

    assert last_class(said(built(Flattened))) == code("""
        class FlattenedState(
            TypedState,
            extra={
                "block_{len=layers}_norm": Bind[LayerNormState, "features=d"],
                "block_{len=layers}_mlp": Bind[DenseBlockState, "d hidden"],
            },
        ):
            \"\"\"No field of its own.\"\"\"
        """)


def test_leaves_are_counted_too() -> None:
    def Loose(self: Any) -> None:
        in_loop(self, "w_{}", 3, lambda _: nnx.Param(jnp.ones((8, 4))))

    assert said(built(Loose)) == code("""
        class LooseState(TypedState, extra={"w_{len=w}": nnx.Param[Float[Array, "din dout"]]}):
            \"\"\"No field of its own.\"\"\"
        """)


class Unlike(nnx.Module):
    """Attributes that no one pattern describes."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        in_loop(self, "chain_{}", 3, lambda index: linear(2**index, 2 ** (index + 1)))
        in_loop(self, "gap_{}", 2, lambda _: linear(3, 3))
        self.gap_2 = self.gap_1
        setattr(self, "gap_3", linear(3, 3))  # noqa: B010  # no name in the code
        in_loop(self, "from_one_{}", 3, lambda _: linear(5, 5))
        del self.from_one_0
        in_loop(self, "mixed_{}", 4, lambda i: linear(7, 7) if i % 2 else conv(7, 7))
        self.norm_0, self.norm_1, self.norm_2 = (nnx.LayerNorm(9, rngs=rngs) for _ in range(3))
        in_loop(self, "gate_{}", 2, lambda _: linear(6, 6))


@pytest.mark.parametrize("fix", [False, True])
def test_what_is_unlike_or_named_by_the_code_is_a_field(*, fix: bool) -> None:
    text = said(Unlike(), fix=fix)
    assert "extra=" not in text
    for field in ("chain_2", "gap_3", "from_one_1", "mixed_3", "norm_2", "gate_1"):
        assert f"    {field}: " in text


def test_unlike_sizes_are_open_in_a_pattern_and_fields_where_they_are_fixed() -> None:
    def Growing(self: Any) -> None:
        in_loop(self, "stage_{}", 3, lambda index: DenseBlock(8, 2**index, nnx.Rngs(0)))

    assert '"stage_{len=stages}": Bind[DenseBlockState, "d"]' in said(built(Growing))
    assert 'stage_2: Bind[DenseBlockState, "hidden=4"]' in said(built(Growing), fix=True)


def test_what_may_be_empty_is_not_counted_where_all_is_fixed() -> None:
    """A norm without scale and bias has no leaf, and the catalogue's class takes that."""

    def Norms(self: Any) -> None:
        in_loop(self, "norm_{}", 3, lambda _: nnx.LayerNorm(8, rngs=nnx.Rngs(0)))

    assert 'extra={"norm_{len=norms}": Bind[LayerNormState, "features=d"]}' in said(built(Norms))
    assert 'norm_2: Bind[LayerNormState, "features=8"]' in said(built(Norms), fix=True)


def test_places_with_other_numbers_are_one_class() -> None:
    class Stage(nnx.Module):
        def __init__(self, depth: int, d: int) -> None:
            in_loop(self, "conv_{}", depth, lambda _: conv(d, d, use_bias=False))

    def Stages(self: Any) -> None:
        self.stem, self.body = Stage(1, 4), Stage(3, 6)

    assert said(built(Stages), fix=True) == code("""
        class StageState(
            TypedState,
            extra={"conv_{len=convs}": Bind[ConvState, "din=channels dout=channels *window=3 3"]},
        ):
            \"\"\"No field of its own.\"\"\"


        class StagesState(TypedState):
            stem: Bind[StageState, "channels=4 convs=1"]
            body: Bind[StageState, "channels=6 convs=3"]
        """)


def test_a_tree_without_code() -> None:
    """Linen's names tell layers from the parts of one block, and those without names of roles."""
    net = nnx.state(Net())
    norms = {f"LayerNorm_{i}": nnx.state(nnx.LayerNorm(8, rngs=nnx.Rngs(0))) for i in range(2)}
    text = to_source(infer(nnx.State({"body": net, **norms})))
    assert (
        'class BodyState(TypedState, extra={"layers_{len=layers}": Bind[LayerState, "d hidden"]})'
        in text
    )
    assert "    LayerNorm_0: " in text
    assert "    LayerNorm_1: " in text


def test_states_with_other_numbers_are_one_class() -> None:
    text = to_source(infer({"small": nnx.state(Net(2)), "large": nnx.state(Net(5))}))
    assert "small: Bind[SmallState, " in text
    assert "large: Bind[SmallState, " in text


def test_what_is_shared_is_no_entry_of_a_pattern() -> None:
    def Tied(self: Any) -> None:
        layer = linear(4, 4)
        in_loop(self, "layers_{}", 3, lambda _: layer)

    text = said(built(Tied))
    assert "extra=" not in text


@pytest.mark.parametrize("fix", [False, True])
def test_source_and_document_come_back(*, fix: bool) -> None:
    schema = infer(Net(), fix=fix)
    names: dict[str, Any] = {}
    exec(compile(to_source(schema), "<source>", "exec"), names)
    assert to_source(names["NetState"]) == to_source(schema)
    read = SchemaDocument.from_json(SchemaDocument.of(schema).to_json()).to_schema()
    for layers in (3, 4):
        found = [
            bool(explain(nnx.state(Net(layers)), one)) for one in (schema, names["NetState"], read)
        ]
        assert found == [layers == 4 or not fix] * 3
