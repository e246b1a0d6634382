"""Sources of generic classes with several forms of one type argument: the names stay tied."""

from __future__ import annotations

import textwrap
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
import pytest
from flax import nnx
from jaxtyping import Array, BFloat16, Float

from tests.export.test_generics import run, same
from tests.zoo import LinearState, MlpState, leaf, state
from typedstate import (
    Abstract,
    Axis,
    Bind,
    Cast,
    Entries,
    Having,
    Like,
    MemoryKind,
    Only,
    Placed,
    Plus,
    Pure,
    Rest,
    SchemaDocument,
    SchemaError,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    TypedState,
    Values,
    explain,
    fits,
    optimizer_state,
    to_source,
)
from typedstate.layers import DropoutState

A = TypeVar("A")


class Moments(TypedState, Generic[A]):
    mu: Like[Cast[A, BFloat16], nnx.BatchStat]
    nu: Like[A, nnx.BatchStat]


class Forms(TypedState, Generic[A]):
    plain: A
    params: Only[A, nnx.Param]
    others: Rest[A, nnx.Not(nnx.Param), nnx.PathContains("head")]
    either: Only[A, (nnx.Param, nnx.All(nnx.BatchStat, ...))]
    plus: Plus[A, nnx.Intermediate]
    memory: MemoryKind[A, "pinned_host"]
    pure: StateMap[str, Pure[A]]
    held: Values[A]
    abstract: Abstract[A]
    specs: Specs[A]
    shardings: Shardings[A]
    placed: Placed[A]
    half: Cast[A, BFloat16, nnx.Not(nnx.PathContains("up"))]


class Stacks(TypedState, Generic[A]):
    one: A
    many: Stacked[A, "n"]
    more: Stacked[Like[A, nnx.BatchStat], "2*n", Axis(1, "data"), nnx.BatchStat]
    outside: Like[Stacked[A, "n"], nnx.BatchStat]
    nested: Stacked[Stacked[A, "n"], "m"]


class Biased(TypedState, Generic[A]):
    plain: A
    biased: Having[A, "bias"]


class Model(TypedState):
    net: MlpState
    head: Bind[LinearState, "din=d"]


HINTS: list[Any] = [
    *(Moments[Model], Forms[Model], Stacks[Model], Biased[LinearState]),
    *(Stacks[Only[Model, nnx.Param]], Forms[StateMap[int, MlpState]]),
    *(Forms[Entries[LinearState, None, MlpState]], Moments[LinearState | MlpState]),
    Moments[Bind[LinearState, "din dout"]],
]
OPTIMIZERS: dict[str, Any] = {
    "adamw": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)),
    "amsgrad": optax.amsgrad(1e-3),
    "lbfgs": optax.lbfgs(),
    "adafactor": optax.adafactor(1e-3),
    "multi steps": optax.MultiSteps(optax.adam(1e-3), 2).gradient_transformation(),
    "momentum": optax.sgd(1e-2, momentum=0.9),
}


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: hint.__name__)
def test_forms_of_one_argument_come_back_as_forms_of_it(hint: Any) -> None:
    for given in (hint, SchemaDocument.of(hint).to_schema()):
        written = run(to_source(given))
        assert same(hint, written)
        assert to_source(written) == to_source(run(to_source(written)))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_document_of_an_optimizer_has_a_source_that_ties_its_moments(name: str) -> None:
    hint = optimizer_state(OPTIMIZERS[name], Model)
    read = SchemaDocument.of(hint).to_schema()
    assert same(hint, run(to_source(read)))


def test_the_source_of_a_document_of_an_optimizer_refuses_moments_of_two_models() -> None:
    """Of a model without names of its own, of which the call would know."""

    def moments(size: int) -> Any:
        linear = {"kernel": jnp.ones((size, 3)), "bias": jnp.ones(3)}
        head = {"kernel": jnp.ones((size, 5)), "bias": jnp.ones(5)}
        up = {"kernel": jnp.ones((size, 7)), "bias": jnp.ones(7)}
        down = {"kernel": jnp.ones((7, size)), "bias": jnp.ones(size)}
        tree = {"net": {"up": up, "down": down}, "head": head, "free": linear}
        return jax.tree.map(lambda array: leaf(nnx.BatchStat, array), tree)

    class Free(TypedState):
        net: MlpState
        head: LinearState
        free: LinearState

    hint: Any = Moments[Free]
    right = state({"mu": _cast(moments(2)), "nu": moments(2)})
    wrong = state({"mu": _cast(moments(2)), "nu": moments(4)})
    for schema in (hint, run(to_source(SchemaDocument.of(hint).to_schema()))):
        assert fits(right, schema), explain(right, schema)
        assert not fits(wrong, schema)


def _cast(tree: Any) -> Any:
    return jax.tree.map(lambda array: array.astype("bfloat16"), tree)


def test_the_forms_are_written_around_the_variable() -> None:
    read = SchemaDocument.of(Moments[MlpState]).to_schema()
    assert to_source(read) == textwrap.dedent("""\
        from typing import Generic, TypeVar

        from flax import nnx
        from jaxtyping import Array, BFloat16, Float
        from typedstate import Bind, Cast, Like, TypedState


        A = TypeVar("A")


        class Moments(TypedState, Generic[A]):
            mu: Like[Cast[A, BFloat16], nnx.BatchStat]
            nu: Like[A, nnx.BatchStat]


        class LinearState(TypedState):
            kernel: nnx.Param[Float[Array, "din dout"]]
            bias: nnx.Param[Float[Array, "dout"]] | None


        class MlpState(TypedState):
            up: Bind[LinearState, "din=d dout=hidden"]
            down: Bind[LinearState, "din=hidden dout=d"]


        MomentsMlpState = Moments[MlpState]
        """)


def test_what_all_uses_share_stays_in_the_argument() -> None:
    read = SchemaDocument.of(Moments[Only[MlpState, nnx.Param]]).to_schema()
    assert "mu: Like[Cast[A, BFloat16], nnx.BatchStat]" in to_source(read)
    assert "MomentsOnlyMlpStateParam = Moments[OnlyMlpStateParam]" in to_source(read)


def test_a_form_that_has_no_text_is_replaced_by_its_classes() -> None:
    class Parts(TypedState, Generic[A]):
        one: A
        two: Only[A, lambda path, _: "up" in path]

    source = to_source(Parts[MlpState])
    assert "one: A" in source
    assert "two: B" in source


def test_a_form_around_a_stack_of_a_variable_waits_for_the_argument() -> None:
    class Around(TypedState, Generic[A]):
        x: Like[Stacked[A, "n"], nnx.BatchStat]

    wanted = leaf(nnx.BatchStat, jnp.ones((4, 2, 3)))
    assert fits(state({"x": {"kernel": wanted}}), Around[LinearState])
    with pytest.raises(SchemaError) as error:
        Around[nnx.Param[Float[Array, "d"]]]
    assert str(error.value).endswith("a form takes a schema, not a leaf")


class Dropped(TypedState):
    drop: Stacked[DropoutState, "layers"]
    own: Bind[LinearState, "din dout"]


@pytest.mark.parametrize(
    "hint",
    [
        Only[Dropped, nnx.Param],
        Only[Stacked[Dropped, "members"], nnx.Param],
        Only[Dropped, nnx.RngState],
        Rest[Bind[Stacked[Dropped, "n"], "n=2"], nnx.RngState],
        Rest[Bind[Stacked[Dropped, "n"], "n=2"], nnx.Param],
    ],
    ids=str,
)
def test_a_dim_of_which_a_form_leaves_nothing_is_not_linked(hint: Any) -> None:
    read = SchemaDocument.of(hint).to_schema()
    assert same(hint, run(to_source(read)))
