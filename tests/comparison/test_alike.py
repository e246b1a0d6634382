"""`diff`: a hint is like itself, whatever it holds, and sizes of several names are compared."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
import pytest
from beartype.vale import Is
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.random_hints import schema_of
from typedstate import Axis, Bind, Flat, Only, Pure, Stacked, StateMap, Values, diff, fits
from typedstate.layers import AdamState, Raw


def is_whole(value: Any) -> bool:
    """What a validator asks."""
    return bool(value)


class Pair(NamedTuple):
    weights: zoo.LinearState
    scale: Float[Array, "dout"]


def one(dims: str) -> Any:
    """A schema of one leaf."""
    return schema_of({"x": nnx.Param[Float[Array, dims]]})


ADAM: Any = AdamState[Only[zoo.MlpState, nnx.Param]]


@pytest.mark.parametrize(
    "hint",
    [
        Flat[zoo.MlpState],
        Flat[Pure[zoo.MlpState], "/"],
        tuple[Flat[zoo.LinearState], zoo.NormState],
        Annotated[nnx.Linear, zoo.LinearState],
        Annotated[zoo.MlpState, Is[is_whole]],
        Annotated[zoo.LinearState | zoo.MlpState, Is[is_whole]],
        Raw[ADAM],
        Pair,
        one("a+b"),
        one("a*b (a*b)+c"),
        one("a//2 min(a,b)"),
        Bind[StateMap[int, zoo.LinearState], "len=a-b"],
        Stacked[zoo.MlpState, "a+b"],
    ],
    ids=str,
)
def test_a_hint_is_like_itself(hint: Any) -> None:
    found = diff(hint, hint)
    assert not found, str(found)
    assert found.verdict == "the same"


# -- Flat trees ----------------------------------------------------------------------------


def test_flat_trees_are_compared_by_what_they_hold() -> None:
    assert str(diff(Flat[zoo.LinearState], Flat[one("d")])) == "\n".join(
        [
            "Flat[LinearState] -> Flat[Random]: breaking forward, breaking backward; "
            "1 removed, 1 moved",
            '  - kernel: Param[Float[Array, "din dout"]] [breaks forward and backward]',
            "  > bias is now x [breaks forward and backward]",
        ]
    )


def test_a_flat_tree_hides_the_container_of_the_nested_one() -> None:
    assert not diff(Flat[Pure[zoo.MlpState], "/"], Flat[Values[zoo.MlpState], "/"])
    assert diff(Pure[zoo.MlpState], Values[zoo.MlpState])


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (Flat[zoo.MlpState], Flat[zoo.MlpState, "/"], False),
        (Flat[zoo.MlpState, "."], Flat[zoo.MlpState, "/"], False),
        (Flat[zoo.LinearState, "."], Flat[zoo.LinearState, "/"], None),  # no name is joined
    ],
    ids=str,
)
def test_names_that_are_joined_otherwise(a: Any, b: Any, verdict: bool | None) -> None:
    found = diff(a, b)
    assert (found.forward, found.backward) == (verdict, verdict)
    assert [change.kind for change in found.changes] == ["container"]


# -- Names of dims -------------------------------------------------------------------------


def test_what_stands_in_the_place_of_several_names_is_a_choice() -> None:
    assert diff(one("a+b a"), one("c+d e")).forward is True
    assert diff(one("(a-b)+c"), one("d+e")).forward is None  # d might be less than none
    assert diff(one("b+a a*a*b"), one("c+d c*c*d")).forward is None  # another one fits
    assert diff(one("a"), one("b+c")).forward is None


@pytest.mark.parametrize(
    ("dims", "verdict"), [("2", False), ("a", False), ("2*a", False), ("a+3", True), ("a+4", True)]
)
def test_no_name_is_less_than_none(dims: str, verdict: bool) -> None:
    """A check refuses two axes where ``n+3`` are declared."""
    assert not fits(zoo.state({"x": zoo.leaf(nnx.Param, jnp.ones(2))}), one("n+3"))
    assert diff(one(dims), one("n+3")).forward is verdict


def test_items_of_a_tuple_share_their_names() -> None:
    """A check refuses trees of other sizes, and so does the comparison."""
    free, tied = tuple[one("d"), one("e")], tuple[one("d"), one("d")]
    small, large = (zoo.state({"x": zoo.leaf(nnx.Param, jnp.ones(n))}) for n in (2, 3))
    assert fits((small, large), free)
    assert not fits((small, large), tied)
    found = diff(free, tied)
    assert (found.forward, found.backward) == (False, True)
    assert [str(change) for change in found.changes] == [
        "~ [1].x: shape was axis 0 e, is axis 0 d [breaks forward]"
    ]


def test_axes_behind_a_run_are_compared_in_their_scopes() -> None:
    stack: Any = Bind[Stacked[one("*run d"), "n", Axis(2)], "d=p"]
    alike = schema_of({"stack": stack, "other": nnx.Param[Float[Array, "p"]]})
    free = schema_of({"stack": stack, "other": nnx.Param[Float[Array, "q"]]})
    leaves = {"stack": {"x": zoo.leaf(nnx.Param, jnp.ones((5, 6, 7, 2)))}}
    state = zoo.state({**leaves, "other": zoo.leaf(nnx.Param, jnp.ones(3))})
    assert fits(state, free)
    assert not fits(state, alike)
    found = diff(free, alike)
    assert (found.forward, found.backward) == (False, True)
    assert not diff(alike, alike)


# -- What stands around a tree -------------------------------------------------------------


def test_modules_of_two_classes() -> None:
    found = diff(Annotated[nnx.Linear, zoo.LinearState], Annotated[nnx.Conv, zoo.LinearState])
    assert [str(change) for change in found.changes] == [
        "~ the whole: container was Linear, is Conv [breaks forward and backward]"
    ]


def test_a_validator_around_a_tree() -> None:
    found = diff(zoo.MlpState, Annotated[zoo.MlpState, Is[is_whole]])
    assert (found.forward, found.backward) == (None, True)
    assert [change.kind for change in found.changes] == ["validator"]


def test_raw_states_of_an_optimizer_are_compared_leaf_by_leaf() -> None:
    other: Any = AdamState[Only[zoo.LinearState, nnx.Param]]
    paths = {change.path for change in diff(Raw[ADAM], Raw[other]).changes}
    assert {"[0].mu.up", "[0].mu.kernel", "[0].nu.up", "[0].nu.kernel"} <= paths
