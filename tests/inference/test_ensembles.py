"""Whole models that ``nnx.vmap`` makes several of, and stacks in stacks."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from tests import zoo
from tests.inference.inferred import code, said
from tests.zoo.blocks import Block
from typedstate import explain, fits, infer, to_source


class Critic(nnx.Module):
    """Layers around others, of any rank, and Params of its own."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.SpectralNorm(nnx.Linear(3, 8, rngs=rngs), rngs=rngs)
        self.mlps = nnx.List([zoo.Mlp(8, 5, rngs=rngs) for _ in range(2)])
        self.head = nnx.LinearGeneral(8, (2, 4), rngs=rngs)
        self.temperature = nnx.Param(rngs.params.uniform(()))


def ensemble(make: Any, size: int) -> Any:
    """Models made at once by ``nnx.vmap``."""
    return nnx.split_rngs(splits=size)(nnx.vmap(make))(nnx.Rngs(0))


def mlps(d: int = 3, hidden: int = 7, members: int = 5) -> Any:
    return ensemble(lambda rngs: zoo.Mlp(d, hidden, rngs=rngs), members)


def test_several_models_are_one_that_is_stacked() -> None:
    assert said(mlps()) == code("""
        class MlpState(TypedState):
            up: Bind[LinearState, "din=d dout=hidden"]
            down: Bind[LinearState, "din=hidden dout=d"]


        StackedMlpState = Stacked[MlpState, "ensemble"]
        """)
    assert 'Several = Stacked[MlpState, "ensemble"]' in to_source(infer(mlps()), name="Several")


def test_a_block_that_is_stacked_has_layers() -> None:
    text = said(ensemble(lambda rngs: Block(4, 8, rngs), 3))
    assert text.endswith('StackedBlockState = Stacked[BlockState, "layers"]\n')


@pytest.mark.skipif(not hasattr(nnx, "SpectralNorm"), reason="this Flax has no SpectralNorm")
def test_all_kinds_of_layers_show_the_axis() -> None:
    text = said(ensemble(Critic, 6))
    assert text.endswith('StackedCriticState = Stacked[CriticState, "ensemble"]\n')
    assert 'temperature: nnx.Param[Float[Array, ""]]' in text
    assert text.count("Stacked[") == 1


def test_streams_that_all_members_share_are_not_stacked() -> None:
    members = nnx.vmap(
        lambda key: zoo.ConvNet(3, 4, 5, nnx.Rngs(params=key, dropout=0)),
        out_axes=nnx.StateAxes({nnx.RngState: None, ...: 0}),
    )
    text = said(members(jax.random.split(jax.random.key(0), 6)))
    assert text.endswith(
        'StackedConvNetState = Stacked[ConvNetState, "ensemble", nnx.Param, nnx.BatchStat]\n'
    )


def on_two_axes(axes: Any) -> Any:
    """Six models, whose kinds are stacked on axes of their own."""
    return nnx.split_rngs(splits=6)(
        nnx.vmap(lambda rngs: zoo.ConvNet(3, 4, 5, rngs), out_axes=nnx.StateAxes(axes))
    )


def test_params_may_be_stacked_on_an_axis_of_their_own() -> None:
    model = on_two_axes({nnx.Param: 1, ...: 0})(nnx.Rngs(0))
    text = said(model)
    assert "class ConvNetState(TypedState):" in text
    assert text.split("\n\n\n")[-1].startswith(
        "StackedConvNetState = Stacked[\n"
        '    Stacked[ConvNetState, "ensemble", Axis(1), nnx.Param],\n'
        '    "ensemble",\n'
    )
    assert text.count("Stacked[") == 2
    other = on_two_axes({nnx.Param: 1, nnx.BatchStat: 0, ...: 0})(nnx.Rngs(1))
    assert fits(nnx.state(other), infer(model))
    state = nnx.state(on_two_axes({...: 0})(nnx.Rngs(0)))
    assert not fits(state, infer(model))


def test_a_branch_may_have_two_axes_too() -> None:
    class Around(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.nets = on_two_axes({nnx.Param: 1, ...: 0})(rngs)
            self.head = nnx.Linear(5, 2, rngs=rngs)

    text = said(Around(nnx.Rngs(0)))
    assert "Stacked[Bind[ConvNetState," in text
    assert ", Axis(1), nnx.Param],\n" in text
    assert text.count("Stacked[") == 2


def test_the_names_of_two_axes_are_those_of_their_metadata() -> None:
    metadata = {nnx.PARTITION_NAME: "members"}
    make: Any = nnx.vmap(
        lambda rngs: zoo.ConvNet(3, 4, 5, rngs),
        out_axes=nnx.StateAxes({nnx.Param: 1, ...: 0}),
        transform_metadata=metadata,
    )
    model = nnx.split_rngs(splits=6)(make)(nnx.Rngs(0))
    assert fits(nnx.state(model), infer(model))


def test_a_single_branch_is_stacked_by_itself() -> None:
    text = said(zoo.Blocks(4, 8, 3, nnx.Rngs(0)))
    assert text.endswith('    blocks: Stacked[Bind[MlpState, "d"], "layers"]\n')


def test_a_member_too_few_in_one_leaf() -> None:
    state, schema = nnx.state(mlps()), infer(mlps())
    state["down"]["bias"] = nnx.state(mlps(members=4))["down"]["bias"]
    assert [str(item) for item in explain(state, schema).violations] == [
        "down.bias: ensemble is 4, but ensemble=5 from up.kernel, axis 0 [dim]"
    ]


def test_fixed_and_varied_numbers() -> None:
    assert to_source(infer(mlps(), fix=True)).endswith('StackedMlpState = Stacked[MlpState, "5"]\n')
    assert '"din=3 dout=7"' in to_source(infer(mlps(), fix=True))
    fixed = to_source(infer(mlps(), fix={"ensemble"}))
    assert fixed.endswith('StackedMlpState = Stacked[MlpState, "5"]\n')
    varied = to_source(infer(mlps, vary={"members": (5, 3), "hidden": (7, 9)}))
    assert varied.endswith('StackedMlpState = Stacked[Bind[MlpState, "hidden"], "members"]\n')


def test_several_optimizers() -> None:
    def make(rngs: nnx.Rngs) -> nnx.Optimizer[Any]:
        return nnx.Optimizer(zoo.Mlp(3, 7, rngs=rngs), optax.adam(1e-3), wrt=nnx.Param)

    several = ensemble(make, 5)
    for schema in (infer(several), infer(several, model=mlps())):
        assert explain(nnx.state(several), schema).dims["ensemble"] == 5
        assert not explain(nnx.state(make(nnx.Rngs(0))), schema)
        assert "\nStackedModelOptimizerState = Stacked[" in to_source(schema)
    assert not fits(nnx.state(ensemble(make, 4)), infer(several, fix=True))
    assert to_source(infer(several, fix={"ensemble"})).rstrip("]\n,").endswith('"5"')


def test_models_with_their_optimizers() -> None:
    class Training(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.model = zoo.Mlp(3, 7, rngs=rngs)
            self.optimizer = nnx.Optimizer(self.model, optax.adam(1e-3), wrt=nnx.Param)

    text = said(ensemble(Training, 4))
    assert text.endswith('\n\nStackedTrainingState = Stacked[TrainingState, "ensemble"]\n')


class Heads(nnx.Module):
    """A layer with two stacks of its own, of heads and of Flax's layers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.heads = ensemble(lambda inner: zoo.Mlp(6, 2, rngs=inner), 4)
        self.out = nnx.Linear(6, 6, rngs=rngs)
        self.layers = ensemble(lambda inner: nnx.Linear(6, 6, rngs=inner), 3)
        self.scale = nnx.Param(jnp.ones(6))


class Nested(nnx.Module):
    """Layers that have stacks of their own."""

    def __init__(self) -> None:
        self.embed = nnx.Embed(11, 6, rngs=nnx.Rngs(0))
        self.blocks = ensemble(Heads, 2)


def test_stacks_within_a_stack() -> None:
    assert said(Nested()) == code("""
        class MlpState(TypedState):
            up: Bind[LinearState, "din=d dout=hidden"]
            down: Bind[LinearState, "din=hidden dout=d"]


        class HeadsState(TypedState):
            heads: Stacked[Bind[MlpState, "d"], "heads"]
            out: Bind[LinearState, "din=d dout=d"]
            layers: Stacked[Bind[LinearState, "din=d dout=d"], "layers"]
            scale: nnx.Param[Float[Array, "d"]]


        class NestedState(TypedState):
            embed: Bind[EmbedState, "vocab features=d"]
            blocks: Stacked[Bind[HeadsState, "d"], "layers"]
        """)


@pytest.mark.parametrize("size", [2, 3])
def test_layers_of_equal_size_are_no_ensemble(size: int) -> None:
    """An axis more is what the layers' ranks say, not that a size repeats."""
    assert "Stacked" not in said(zoo.Mlp(size, size, rngs=nnx.Rngs(0)))
