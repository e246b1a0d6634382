"""Entries of maps, of patterns and of open trees are there in all uses of a type argument."""

from __future__ import annotations

from typing import Any

import jax
import pytest
from flax import nnx

from tests.agreement import accepts, warm
from tests.annotations.towers import (
    BlockState,
    Named,
    NetState,
    Open,
    Patterned,
    Two,
    block,
    leaf,
    net,
    said,
    two,
)
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
    EMAState,
    LinearState,
)


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
