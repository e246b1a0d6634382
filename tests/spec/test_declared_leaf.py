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
from typedstate import Exactly, Only, explain, fits
from typedstate._annotations.spec_of import spec_of
from typedstate._compat import variables
from typedstate._spec.filters import WILDCARDS, Answer, decide

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
