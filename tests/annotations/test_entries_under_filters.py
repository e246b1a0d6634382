"""What a filter or a mask takes away is missed in no use of a type argument; what it leaves is."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import optax
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st

from tests import zoo
from tests.agreement import accepts, warm
from tests.annotations.towers import Both, Held, NetState, Params, Two, block, leaf, net, said, two
from tests.layers.optimizer_cases import keeps_masked_nodes
from typedstate import (
    Only,
    StateTypeError,
    TypedState,
    checked,
    explain,
)
from typedstate.layers import (
    AdamState,
    Maskable,
    Masked,
    MultiTransform,
    OptimizerState,
    Raw,
    SgdState,
)

needs_wrt = pytest.mark.skipif(
    zoo.HAS_VARIABLE_STATE, reason="on Flax 0.10 an optimizer holds its model"
)


# -- What a filter takes away --------------------------------------------------------------------


Filtered: Any = Both[NetState, Held[Only[NetState, nnx.LoRAParam]]]


def both(model: Any, moments: Any) -> dict[str, Any]:
    return {"model": model, "moments": {"mu": moments}}


def adapters(*indices: int) -> Any:
    return {"blocks": {index: {"lora": leaf(nnx.LoRAParam, 2)} for index in indices}}


def test_an_entry_whose_leaves_are_all_filtered_away_is_not_missed() -> None:
    model = {"blocks": {0: block(lora=True), 1: block(), 2: block(lora=True)}}
    doors = warm(Filtered, both(model, adapters(0, 2)), both(net(), {}))
    assert said(both(model, adapters(0)), Filtered) == [
        'moments.mu.blocks[2].lora: missing, expected LoRAParam[Float[Array, "d"]] '
        "(model.blocks[2].lora is there) [missing]"
    ]
    assert said(both(net(), adapters(1)), Filtered) == [
        'moments.mu.blocks[1].lora: expected nothing, found LoRAParam[Float[Array, "d"]] '
        "(model.blocks[1].lora is not there) [extra]"
    ]
    assert said(both(net(1), adapters(1)), Filtered) == [
        "moments.mu.blocks: expected only entries of model.blocks, found entry 1 "
        "(1 entry there, 1 here) [extra]"
    ]
    for moments in (adapters(0), adapters(0, 1), adapters(0, 1, 2), {}):
        assert not doors.ask(both(model, moments))


def test_a_filter_that_the_real_leaf_decides() -> None:
    by_path: Any = Both[NetState, Held[Only[NetState, lambda path, _: 0 in path]]]
    assert explain(both(net(3), net(1)), by_path)
    by_rank: Any = Both[NetState, Held[Only[NetState, lambda _, leaf: leaf.ndim > 1]]]
    assert not explain(both(net(3), net(1)), by_rank)  # the declared rank decides
    stats: Any = Both[Only[NetState, nnx.BatchStat], Held[Only[NetState, nnx.Param]]]
    seen = {"blocks": {1: {"seen": leaf(nnx.BatchStat)}}}
    assert explain(both(seen, net(3)), stats)  # neither is measured by what the other leaves out


class Sub(TypedState):
    lora: nnx.LoRAParam | None


class WithSub(TypedState):
    kernel: nnx.Param
    sub: Sub | None


def test_an_optional_branch_that_needs_no_leaf() -> None:
    hint: Any = Both[WithSub, Held[Only[WithSub, nnx.LoRAParam]]]
    bare = {"kernel": leaf()}
    whole = {"kernel": leaf(), "sub": {"lora": leaf(nnx.LoRAParam)}}
    doors = warm(hint, both(bare, {}), both(whole, {"sub": {"lora": leaf(nnx.LoRAParam)}}))
    assert not doors.ask(both(whole, {}))
    assert not doors.ask(both(bare, {"sub": {"lora": leaf(nnx.LoRAParam)}}))
    assert said(both(whole, {}), hint) == [
        "moments.mu.sub.lora: missing, expected LoRAParam (model.sub.lora is there) [missing]"
    ]


# -- Optimizers ----------------------------------------------------------------------------------


class Block(nnx.Module):
    def __init__(self) -> None:
        self.up = nnx.Linear(2, 2, rngs=nnx.Rngs(0))


class Net(nnx.Module):
    def __init__(self, count: int) -> None:
        self.blocks = zoo.list_of([Block() for _ in range(count)])


def params(count: int) -> Any:
    return nnx.state(Net(count), nnx.Param)


def optimizer(count: int, tx: Any = None) -> Any:
    return nnx.Optimizer(Net(count), tx or optax.adam(1e-3), wrt=nnx.Param)


@needs_wrt
def test_an_optimizer_of_a_model_with_fewer_blocks() -> None:
    @checked
    def train(
        model: Annotated[Net, NetState],
        opt: Annotated[nnx.Optimizer, OptimizerState[AdamState[Params]]],
    ) -> None: ...

    for count in (5, 6, 5, 6):
        train(Net(count), optimizer(count))
    with pytest.raises(StateTypeError) as error:
        train(Net(6), optimizer(5))
    assert str(error.value).splitlines()[1:4] == [
        "  cause: the optimizer was made for another model or other parameters: "
        "nnx.Optimizer(model, tx, wrt=nnx.Param) makes one for these",
        "  opt.opt_state[0].mu.blocks: missing, expected entry 5 of model.blocks "
        "(6 entries there, 5 here) [missing]",
        "  opt.opt_state[0].nu.blocks: missing, expected entry 5 of model.blocks "
        "(6 entries there, 5 here) [missing]",
    ]


def test_moments_of_other_lengths_as_optax_returns_them() -> None:
    adam = optax.adam(1e-3)
    first, other = adam.init(params(2)), adam.init(params(3))
    doors = warm(Raw[AdamState[Params]], first, other)
    assert not doors.ask((first[0]._replace(nu=other[0].nu), *first[1:]))


@needs_wrt
@pytest.mark.skipif(not keeps_masked_nodes(), reason="this Flax can't keep masked nodes")
def test_masks_of_leaves_and_of_whole_entries() -> None:
    def labels(tree: Any) -> Any:
        return jax.tree.map_with_path(lambda path, _: "a" if "0" in str(path) else "b", tree)

    parts = optax.multi_transform({"a": optax.adam(1e-3), "b": optax.sgd(1e-3, 0.9)}, labels)
    hint: Any = tuple[
        NetState,
        OptimizerState[MultiTransform[AdamState[Maskable[Params]] | SgdState[Maskable[Params]]]],
    ]
    assert explain((params(3), nnx.state(optimizer(3, parts))), hint)
    assert not explain((params(2), nnx.state(optimizer(3, parts))), hint)
    first = optax.masked(
        optax.adam(1e-3), lambda _: nnx.State({"blocks": {0: True, 1: False, 2: False}})
    )
    hint = tuple[NetState, OptimizerState[Masked[AdamState[Maskable[Params]]]]]
    assert explain((params(3), nnx.state(optimizer(3, first))), hint)


@pytest.mark.both_policies
@given(st.lists(st.tuples(*[st.integers(1, 3)] * 3), min_size=1, max_size=6))
@settings(max_examples=40)
def test_known_calls_know_the_entries_of_all_arguments(counts: list[tuple[int, int, int]]) -> None:
    @checked
    def step(model: NetState, moments: Two[NetState]) -> NetState:
        return model

    hint: Any = tuple[NetState, Two[NetState]]
    for model, mu, nu in [*counts, *counts]:
        value = nnx.State(net(model)), two(net(mu), net(nu))
        expected = model == mu == nu
        assert bool(explain(value, hint)) is expected
        assert accepts(lambda pair: step(*pair), value) is expected
