"""Entries of maps, of patterns and of open trees are there in all uses of a type argument."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from hypothesis import given, settings, strategies as st
from jaxtyping import Array, Float

from tests import zoo
from tests.agreement import accepts, warm
from tests.layers.optimizer_cases import keeps_masked_nodes
from typedstate import (
    Abstract,
    Bind,
    Only,
    Plus,
    Pure,
    Scoped,
    Stacked,
    StateMap,
    StateOf,
    StateTypeError,
    TypedState,
    checked,
    explain,
)
from typedstate.layers import (
    AdamState,
    EMAState,
    LinearState,
    Maskable,
    Masked,
    MultiTransform,
    OptimizerState,
    Raw,
    SgdState,
)

S = TypeVar("S")
T = TypeVar("T")
needs_wrt = pytest.mark.skipif(
    zoo.HAS_VARIABLE_STATE, reason="on Flax 0.10 an optimizer holds its model"
)


class BlockState(TypedState):
    up: Bind[LinearState, "din=d dout=d"]
    seen: nnx.BatchStat | None
    lora: nnx.LoRAParam[Float[Array, "d"]] | None


class NetState(TypedState):
    blocks: StateMap[int, BlockState]


class Patterned(TypedState, extra={"layers_{}": BlockState}):
    head: nnx.Param


class Open(TypedState):
    free: StateOf[nnx.Param[Float[Array, "?n"]]]


class Named(TypedState):
    blocks: Bind[StateMap[str, BlockState], "len=n"]


class Two(TypedState, Generic[S]):
    a: S
    b: S


class Held(TypedState, Generic[S]):
    mu: S


class Both(TypedState, Generic[S, T]):
    model: S
    moments: T


Params = Only[NetState, nnx.Param]


def leaf(kind: Any = nnx.Param, *shape: int) -> Any:
    return zoo.leaf(kind, jnp.ones(shape))


def block(d: int = 2, *, lora: bool = False, stat: bool = False) -> dict[str, Any]:
    tree: dict[str, Any] = {"up": {"kernel": leaf(nnx.Param, d, d)}}
    tree |= {"lora": leaf(nnx.LoRAParam, d)} if lora else {}
    return tree | ({"seen": leaf(nnx.BatchStat)} if stat else {})


def net(count: int = 2, **options: bool) -> dict[str, Any]:
    return {"blocks": {index: block(**options) for index in range(count)}}


def two(a: Any, b: Any) -> dict[str, Any]:
    return {"a": a, "b": b}


def said(value: Any, hint: Any) -> list[str]:
    return [str(item) for item in explain(value, hint).violations]


def test_the_entries_of_a_map() -> None:
    doors = warm(Two[NetState], two(net(2), net(2)), two(net(3), net(3)))
    assert not doors.ask(two(net(3), net(2)))
    assert said(two(net(3), net(2)), Two[NetState]) == [
        "b.blocks: missing, expected entry 2 of a.blocks (3 entries there, 2 here) [missing]"
    ]
    assert said(two(net(2), net(9)), Two[NetState]) == [
        "b.blocks: expected only entries of a.blocks, found entries 2, 3, 4, ... "
        "(2 entries there, 9 here) [extra]"
    ]
    assert said(two(net(1), net(9)), Two[Scoped[NetState, "x"]]) == [
        "b.blocks: expected only entries of a.blocks, found entries 1, 2, 3, ... "
        "(1 entry there, 9 here) [extra]"
    ]


def test_a_gap_and_a_length_are_told_of_once() -> None:
    gap = {"blocks": {0: block(), 2: block()}}
    assert [line[-9:] for line in said(two(net(3), gap), Two[NetState])] == ["[missing]"]

    def named(*keys: str) -> Any:
        return {"blocks": {key: block() for key in keys}}

    doors = warm(Two[Named], two(named("x", "y"), named("x", "y")))
    assert not doors.ask(two(named("x", "y"), named("x", "z")))
    assert said(two(named("x", "y"), named("x")), Two[Named]) == [
        "b.blocks: the number of entries (n) is 1, but n=2 from a.blocks [dim]"
    ]
    assert said(two(named("x", "y"), named("x", "z")), Two[Named]) == [
        "b.blocks: missing, expected entry 'y' of a.blocks (2 entries there, 2 here) [missing]",
        "b.blocks: expected only entries of a.blocks, found entry 'z' "
        "(2 entries there, 2 here) [extra]",
    ]


def test_what_a_wrong_key_stands_for_is_not_asked() -> None:
    wrong = {"blocks": {"kernel": leaf()}}
    assert [line[-5:] for line in said(two(net(3), wrong), Two[NetState])] == ["[key]"]


def test_the_keys_of_a_pattern() -> None:
    def patterned(*numbers: int) -> Any:
        return {"head": leaf(), **{f"layers_{number}": block() for number in numbers}}

    doors = warm(Two[Patterned], two(patterned(0, 1), patterned(0, 1)), two(*[patterned()] * 2))
    assert not doors.ask(two(patterned(0), patterned()))
    assert said(two(patterned(0, 7), patterned(0)), Two[Patterned]) == [
        "b.layers_{}: missing, expected entry 'layers_7' of a.layers_{} "
        "(2 entries there, 1 here) [missing]"
    ]


def test_the_leaves_of_an_open_tree() -> None:
    def tree(*keys: str) -> Any:
        return {"free": {key: {"x": leaf(nnx.Param, 3)} for key in keys}}

    doors = warm(Two[Open], two(tree("p", "q"), tree("p", "q")), two(tree("p"), tree("p")))
    assert not doors.ask(two(tree("p"), tree("p", "q")))
    assert said(two(tree("p", "q"), tree("p")), Two[Open]) == [
        "b.free: missing, expected leaf q.x of a.free (2 leaves there, 1 here) [missing]"
    ]
    assert said(two(tree("p"), tree("p", "q", "r")), Two[Open]) == [
        "b.free: expected only leaves of a.free, found leaves q.x, r.x "
        "(1 leaf there, 3 here) [extra]"
    ]


def test_a_map_is_the_argument() -> None:
    hint: Any = Two[StateMap[int, LinearState]]
    one, other = {0: block()["up"]}, {0: {**block()["up"], "bias": leaf(nnx.Param, 2)}}
    doors = warm(
        hint, two(one, one), two(other, other), two({**one, 1: one[0]}, {**one, 1: one[0]})
    )
    assert not doors.ask(two(one, {**one, 1: one[0]}))
    assert said(two(one, other), hint) == [
        'b[0].bias: expected nothing, found Param[Float[Array, "dout"]] '
        "(a[0].bias is not there) [extra]"
    ]
    leaves: Any = Two[StateMap[str, nnx.Param]]
    doors = warm(leaves, two({"x": leaf()}, {"x": leaf()}))
    assert not doors.ask(two({"x": leaf()}, {"y": leaf()}))
    trees: Any = Two[StateOf[nnx.Param]]
    doors = warm(trees, two({"x": leaf()}, {"x": leaf()}))
    assert not doors.ask(two({"x": leaf()}, {"x": leaf(), "y": {"z": leaf()}}))


def test_a_map_beside_the_moments_of_it() -> None:
    @checked
    def step(
        model: StateMap[int, BlockState],
        moments: EMAState[Only[StateMap[int, BlockState], nnx.Param]],
    ) -> None: ...

    def average(count: int, d: int = 2) -> Any:
        return {"params": {index: block(d) for index in range(count)}}

    for count in (1, 2, 1, 2):
        step(net(count)["blocks"], average(count))
    assert not accepts(lambda _: step(net(2)["blocks"], average(3)), None)
    assert not accepts(lambda _: step(net(2)["blocks"], average(2, d=3)), None)


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


# -- Forms, and separate annotations -------------------------------------------------------------


FORMS: dict[str, tuple[Any, Any]] = {
    "Bind": (Two[Bind[NetState, ""]], net),
    "Pure": (Two[Pure[NetState]], lambda n: nnx.to_pure_dict(nnx.State(net(n)))),
    "Abstract": (Two[Abstract[NetState]], lambda n: jax.eval_shape(lambda: net(n))),
    "Stacked": (Two[Stacked[NetState, "k"]], lambda n: jax.tree.map(lambda x: x[None], net(n))),
    "Plus": (Two[Plus[NetState, nnx.Intermediate]], net),
    "whole": (Stacked[Two[NetState], "k"], lambda n: jax.tree.map(lambda x: x[None], net(n))),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_it(name: str) -> None:
    hint, make = FORMS[name]
    doors = warm(hint, two(make(2), make(2)), two(make(3), make(3)))
    assert not doors.ask(two(make(2), make(3)))


def test_separate_annotations_are_apart() -> None:
    @checked
    def apart(ema: NetState, model: NetState) -> None: ...

    class Body(TypedState):
        ema: NetState
        model: NetState

    apart(nnx.State(net(2)), nnx.State(net(3)))
    assert explain({"ema": net(2), "model": net(3)}, Body)

    @checked
    def averaged(ema: EMAState[NetState], model: NetState) -> None: ...

    averaged({"params": net(2)}, nnx.State(net(2)))
    with pytest.raises(StateTypeError, match=r"ema\.params\.blocks: .* entry 2 of model\.blocks"):
        averaged({"params": net(2)}, nnx.State(net(3)))


def test_with_two_models_the_entries_are_those_of_one() -> None:
    @checked
    def distil(a: NetState, b: NetState, moments: EMAState[NetState]) -> None: ...

    for count in (2, 4):
        distil(nnx.State(net(2)), nnx.State(net(4)), {"params": net(count)})
    with pytest.raises(StateTypeError):
        distil(nnx.State(net(2)), nnx.State(net(4)), {"params": net(3)})


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
    assert str(error.value).splitlines()[1:3] == [
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
