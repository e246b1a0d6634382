"""What a verdict depended on is asked again by generated code."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypedDict

import pytest
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.fastpath.helpers import GuardedState, guarded, learned, np_ones, verdicts
from tests.zoo import LinearState, leaf, named, state
from typedstate import Only, TypedState
from typedstate._annotations.spec_of import spec_of
from typedstate._fastpath.judge import Known
from typedstate._validation.walk import Walk


class Moments(NamedTuple):
    mu: Any
    nu: Any


class MomentsHint(NamedTuple):
    mu: Annotated[nnx.Param[Float[Array, "n"]], P("a")]
    nu: nnx.Param[Float[Array, "n"]]


class Pair(TypedDict):
    left: Float[Array, "n"]
    right: Float[Array, "n"]


def test_axis_names_are_asked_again() -> None:
    known = learned(GuardedState, guarded())
    other = guarded()
    other["named"] = named(nnx.Param, np_ones(2, 3), "mlp", None)
    assert verdicts(known, GuardedState, other) == (False, False)


def test_predicates_are_asked_again() -> None:
    class Positive(TypedState):
        scale: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda x: bool((x > 0).all())]]

    known = learned(Positive, state({"scale": nnx.Param(np_ones(3))}))
    assert verdicts(known, Positive, state({"scale": nnx.Param(np_ones(3) * 2)})) == (True, True)
    assert verdicts(known, Positive, state({"scale": nnx.Param(-np_ones(3))})) == (False, False)


def test_filters_are_asked_again() -> None:
    class Whole(TypedState, extra="allow"):
        kernel: nnx.Param

    hint = Only[Whole, nnx.WithTag("a") if hasattr(nnx, "WithTag") else nnx.Param]
    good = {"kernel": leaf(nnx.Param, np_ones(2), tag="a")}
    known = learned(hint, state(good))
    bad = state({"kernel": leaf(nnx.BatchStat, np_ones(2), tag="b")})
    assert verdicts(known, hint, bad) == (False, False)


def test_guards_below_a_named_tuple_are_asked_again() -> None:
    def moments(name: str) -> Moments:
        return MomentsHint(named(nnx.Param, np_ones(3), name), leaf(nnx.Param, np_ones(3)))  # type: ignore[return-value]

    known = learned(MomentsHint, moments("a"))
    assert verdicts(known, MomentsHint, moments("a")) == (True, True)
    assert verdicts(known, MomentsHint, moments("b")) == (False, False)


def test_a_predicate_that_raised_is_asked_again() -> None:
    broken = True

    def flaky(value: Any) -> bool:
        if broken:
            raise ValueError
        return True

    class Either(TypedState):
        either: Annotated[nnx.Param[Float[Array, "n"]], Is[flaky]] | nnx.Param

    value = state({"either": nnx.Param(np_ones(4))})
    known = learned(Either, value)
    broken = False
    assert known.accepts(value) is None


def test_a_module_is_not_known_by_its_class() -> None:
    hint = tuple[nnx.Linear, LinearState]
    walk = Walk()
    value = (nnx.Linear(2, 3, rngs=nnx.Rngs(0)), nnx.state(nnx.Linear(2, 3, rngs=nnx.Rngs(0))))
    walk.visit(value, spec_of(hint))
    assert walk.report("")
    assert Known().learn(value, walk, walk.report("")) is None


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (list[LinearState], [state({"kernel": nnx.Param(np_ones(2, 3))})] * 2),
        (tuple[LinearState, ...], (state({"kernel": nnx.Param(np_ones(2, 3))}),)),
        (dict[str, Float[Array, "n"]], {"a": np_ones(3)}),
        (Pair, {"left": np_ones(3), "right": np_ones(3)}),
        (Float[Array, "n"] | None, None),
        (Float[Array, "n"] | None, np_ones(3)),
        (float | Float[Array, "n"], 3.5),
    ],
)
def test_containers_of_a_boundary(hint: Any, value: Any) -> None:
    known = learned(hint, value)
    for other in (None, [], (), {}, {"a": 1}, 3, 3.5, np_ones(3), np_ones(3, 3), [1], (1,)):
        fast, accepted = verdicts(known, hint, other)
        assert accepted or not fast
