"""What a filter that is a callable says of a leaf that is only declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float, Float32, Int, Shaped

from tests import zoo
from tests.zoo import HAS_VARIABLE_STATE
from typedstate import Exactly, Like, Only, Pure, TypedState, Values, explain, fits
from typedstate._annotations.spec_of import spec_of
from typedstate._compat import variables
from typedstate._spec.filters import WILDCARDS, Answer, decide

ARRAY: Any = type(jnp.zeros(()))
YES, NO, MAYBE = Answer.YES, Answer.NO, Answer.MAYBE


def held(leaf: Any) -> Any:
    return variables.raw_value(leaf) if variables.is_variable(leaf) else leaf


def careless(path: Any, leaf: Any) -> bool:
    """A filter that hides what happens in it."""
    try:
        return bool(leaf.tag == "seen")
    except Exception:
        return False


class Mine(nnx.Param[Any]):
    """A kind below Param."""


MATRIX = nnx.Param[Float32[Array, "din 3"]]
FLOATS = nnx.Param[Float[Array, "n"]]
INTS = nnx.Param[Int[Array, "n"]]
ANY_DTYPE = nnx.Param[Shaped[Array, "n"]]
OPEN_RANK = nnx.Param[Float[Array, "... n"]]


def is_float(path: Any, leaf: Any) -> bool:
    return bool(jnp.issubdtype(held(leaf).dtype, jnp.floating))


def is_float32(path: Any, leaf: Any) -> bool:
    return bool(held(leaf).dtype == jnp.float32)


class OfTheArray:
    """Filters that are no functions."""

    def __call__(self, path: Any, leaf: Any) -> bool:
        return type(held(leaf)) is ARRAY

    def says(self, path: Any, leaf: Any) -> bool:
        return type(held(leaf)) is ARRAY


CASES: list[tuple[str, Any, Callable[[Any, Any], Any], Answer]] = [
    ("a key among entries", MATRIX, lambda path, leaf: "up" in path, YES),
    ("a key that is not there", MATRIX, lambda path, leaf: path[-1] == "bias", NO),
    ("the length of the path", MATRIX, lambda path, leaf: len(path) == 3, YES),
    ("an entry's key", MATRIX, lambda path, leaf: path[0] == 1, MAYBE),
    ("any key's text", MATRIX, lambda path, leaf: "up" in "/".join(map(str, path)), MAYBE),
    ("the rank", MATRIX, lambda path, leaf: held(leaf).ndim > 1, YES),
    ("the rank, of a value", MATRIX, lambda path, leaf: jnp.ndim(held(leaf)) == 1, NO),
    ("the length of the shape", MATRIX, lambda path, leaf: len(held(leaf).shape) == 2, YES),
    ("a fixed size", MATRIX, lambda path, leaf: held(leaf).shape[1] == 3, YES),
    ("a size with a name", MATRIX, lambda path, leaf: held(leaf).shape[0] == 3, MAYBE),
    ("all elements", MATRIX, lambda path, leaf: held(leaf).size > 9, MAYBE),
    ("a dtype", MATRIX, lambda path, leaf: held(leaf).dtype == jnp.float32, YES),
    ("one of the dtypes", FLOATS, is_float32, MAYBE),
    ("a class of dtypes", FLOATS, is_float, YES),
    ("another class", INTS, is_float, NO),
    ("any dtype", ANY_DTYPE, is_float32, MAYBE),
    ("any array", nnx.Param, lambda path, leaf: held(leaf).ndim > 1, MAYBE),
    ("an open rank", OPEN_RANK, lambda path, leaf: held(leaf).ndim > 1, MAYBE),
    ("whether it is an array", MATRIX, lambda path, leaf: isinstance(held(leaf), jax.Array), YES),
    ("its elements", MATRIX, lambda path, leaf: bool(jnp.any(held(leaf) > 0)), MAYBE),
    ("metadata", MATRIX, lambda path, leaf: getattr(leaf, "tag", None) == "seen", MAYBE),
    ("metadata, hidden", MATRIX, careless, MAYBE),
    ("whether it is a Variable", MATRIX, lambda path, leaf: variables.is_variable(leaf), YES),
    ("a raw leaf's class", Float[Array, "n"], lambda path, leaf: variables.is_variable(leaf), NO),
    ("type of a raw leaf", Float[Array, "n"], lambda path, leaf: type(leaf) is nnx.Param, NO),
    ("an attribute of Variables", Float[Array, "n"], lambda path, leaf: hasattr(leaf, "type"), NO),
    ("type of a raw array", Float[Array, "n"], lambda path, leaf: type(leaf) is ARRAY, MAYBE),
    ("type of the array", MATRIX, lambda path, leaf: type(held(leaf)) is ARRAY, MAYBE),
    ("name of its type", MATRIX, lambda path, leaf: type(held(leaf)).__name__ == "Ref", NO),
    ("an array's name", MATRIX, lambda path, leaf: "Im" in type(held(leaf)).__name__, MAYBE),
    ("no kind of Variable", MATRIX, lambda path, leaf: type(held(leaf)) in (nnx.Param, int), NO),
    ("by an object", MATRIX, OfTheArray(), MAYBE),
    ("by a method", MATRIX, OfTheArray().says, MAYBE),
    ("type of a type", MATRIX, lambda path, leaf: isinstance(nnx.Param, type), YES),
    ("types made", MATRIX, lambda path, leaf: type("New", (), {}).__name__ == "New", YES),
    ("a raw leaf's rank", Float[Array, "n"], lambda path, leaf: leaf.ndim > 1, NO),
]  # fmt: skip


@pytest.mark.parametrize(
    ("hint", "filter_", "answer"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_callable_is_decided_by_what_is_declared(hint: Any, filter_: Any, answer: Answer) -> None:
    path = (WILDCARDS["int"], "up", "kernel")
    assert decide(filter_, path, spec_of(hint)) is answer


@pytest.mark.parametrize(
    ("hint", "answer"), [(nnx.Param, MAYBE), (Exactly[nnx.Param], NO), (Mine, YES), (nnx.Cache, NO)]
)
def test_kinds_below_the_declared_one_are_asked_for(hint: Any, answer: Answer) -> None:
    def by_instance(path: Any, leaf: Any) -> bool:
        return isinstance(leaf, Mine) or getattr(leaf, "type", None) is Mine

    def by_class(path: Any, leaf: Any) -> bool:
        return variables.kind_of(leaf) is Mine

    assert decide(by_instance, ("kernel",), spec_of(hint)) is answer
    assert decide(by_class, ("kernel",), spec_of(hint)) is answer


def test_no_constructor_of_the_users_own_runs() -> None:
    class Strict(nnx.Param[Any]):
        def __init__(self, *, only_by_name: int) -> None:
            raise AssertionError("made")

    seen: list[type] = []

    def filter_(path: Any, leaf: Any) -> bool:
        seen.append(variables.kind_of(leaf))
        return True

    assert decide(filter_, ("kernel",), spec_of(Strict)) is YES
    assert seen == [Strict]


def test_a_selection_by_rank_lacks_nothing_that_it_selects() -> None:
    def matrices(path: Any, leaf: Any) -> bool:
        return bool(held(leaf).ndim > 1)

    full = nnx.state(zoo.Mlp(2, 3, rngs=nnx.Rngs(0)))
    kept = nnx.filter_state(full, matrices)
    hint = Only[zoo.MlpState, matrices]
    assert explain(kept, hint)
    assert not fits(full, hint)
    less = zoo.as_dict(kept)
    del less["up"]
    assert str(explain(nnx.State(less), hint)) == (
        "does not fit Only[MlpState, matrices]: 1 violation\n"
        "  up: missing, expected Only[LinearState, matrices] [missing]\n"
        "  dims: hidden=3 d=2"
    )


@pytest.mark.parametrize(
    "kind_is",
    [
        lambda path, leaf: type(leaf) is nnx.Param,
        lambda path, leaf: isinstance(leaf, nnx.Param),
        lambda path, leaf: getattr(leaf, "type", type(leaf)) is nnx.Param,
        lambda path, leaf: isinstance(leaf, nnx.Variable) and not isinstance(leaf, nnx.BatchStat),
    ],
)
@pytest.mark.skipif(HAS_VARIABLE_STATE, reason="up to Flax 0.10 a leaf's class is no kind")
def test_a_kind_that_a_callable_asks_for_selects_by_what_is_declared(kind_is: Any) -> None:
    class NormState(TypedState):
        scale: nnx.Param[Float[Array, "n"]]
        mean: nnx.BatchStat[Float[Array, "n"]]
        table: Float[Array, "n"]

    whole: dict[str, Any] = {
        "scale": nnx.Param(jnp.ones(2)),
        "mean": nnx.BatchStat(jnp.ones(2)),
        "table": jnp.ones(2),
    }
    assert fits(nnx.State({"scale": whole["scale"]}), Only[NormState, kind_is])
    assert not fits(nnx.State(whole), Only[NormState, kind_is])
    values = {key: held(leaf) for key, leaf in whole.items()}
    for keys in (("scale",), ("mean",), ("scale", "mean"), ("scale", "table"), ()):
        tree = {key: values[key] for key in keys}
        assert fits(tree, Pure[Only[NormState, kind_is]]) is (keys == ("scale",)), keys
        assert fits(nnx.State(tree), Values[Only[NormState, kind_is]]) is (keys == ("scale",))
        moments = nnx.State({key: nnx.OptVariable(leaf) for key, leaf in tree.items()})
        hint = Like[Only[NormState, kind_is], nnx.OptVariable]
        assert fits(moments, hint) is (keys == ("scale",)), keys


def test_a_filter_is_asked_without_leaving_a_trace() -> None:
    seen: list[str] = []

    def filter_(path: Any, leaf: Any, *, log: Any = seen) -> bool:
        log.append(type(path).__name__)
        return True

    assert decide(filter_, ("kernel",), spec_of(MATRIX)) is YES
    assert {*seen} == {"tuple"}
    assert filter_.__globals__.get("type") is None
