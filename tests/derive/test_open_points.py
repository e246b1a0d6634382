"""Open points of a schema: what decides them, and that each is named once, also without an end."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float, Int

from tests.derive.helpers import refusal
from tests.zoo import leaf, state
from tests.zoo.sharded_transformer import value_of
from typedstate import Abstract, Bind, StateMap, TypedState, abstract, explain, layers, specs


class Level(TypedState):
    kernel: nnx.Param[Float[Array, "d d"]]
    below: Bind[Level, "d"] | None


class Folder(TypedState):
    size: nnx.Param[Float[Array, "d"]]
    folders: StateMap[str, Folder]


class Either(TypedState):
    value: nnx.Param[Float[Array, "n"] | Int[Array, "n n"] | None]
    name: nnx.Variable[str]


def test_a_schema_within_itself_is_open_once() -> None:
    assert refusal(abstract, Level, d=2, dtype=jnp.float32) == [
        "abstract(Level) can't be made:",
        '  below: there or not? choices={"below": True} or False',
    ]
    assert refusal(abstract, Folder, d=2, dtype=jnp.float32) == [
        "abstract(Folder) can't be made:",
        '  folders: which entries? choices={"folders": [...]}',
    ]


def test_chosen_levels_are_made_and_the_next_is_open() -> None:
    given: dict[str, Any] = {"d": 2, "dtype": jnp.float32}
    chosen = {"below": True, "below.below": False}
    made = abstract(Level, choices=chosen, **given)
    assert [item.shape for item in jax.tree.leaves(made)] == [(2, 2), (2, 2)]
    assert refusal(abstract, Level, choices={"below": True}, **given) == [
        "abstract(Level) can't be made:",
        '  below.below: there or not? choices={"below.below": True} or False',
    ]
    assert refusal(abstract, Level, choices={"*.below": True}, **given) == [
        "abstract(Level) can't be made: the schema, with these choices, is nested too deeply"
    ]


def test_an_example_decides_between_values_of_a_variable() -> None:
    for value in (jnp.ones(2), jnp.ones((2, 2), jnp.int32), None):
        like = state({"value": leaf(nnx.Param, value), "name": leaf(nnx.Variable, "a")})
        made: Any = abstract(Either, like=like)
        assert explain(made, Abstract[Either])
        found = [item for item in jax.tree.leaves(made) if not isinstance(item, str)]
        wanted = [] if value is None else [jax.ShapeDtypeStruct(value.shape, value.dtype)]
        assert found == wanted


def test_a_transposed_convolution_like_one_that_is_there() -> None:
    conv = nnx.ConvTranspose(2, 3, (3,), rngs=nnx.Rngs(0))
    made: Any = abstract(layers.ConvTransposeState, like=conv)
    assert explain(made, Abstract[layers.ConvTransposeState])
    assert value_of(made["kernel"]).shape == (3, 2, 3)


def test_a_choice_decides_between_values_of_a_variable() -> None:
    class Number(TypedState):
        value: nnx.Param[Float[Array, "n"] | Int[Array, "n n"]]

    given: dict[str, Any] = {"n": 2, "dtype": (jnp.float32, jnp.int32)}
    assert refusal(abstract, Number, **given) == [
        "abstract(Number) can't be made:",
        '  value: which one? choices={"value": 0} for 0: Float[Array, "n"], 1: Int[Array, "n n"]',
    ]
    made = abstract(Number, choices={"value": 1}, **given)
    assert jax.tree.leaves(made) == [jax.ShapeDtypeStruct((2, 2), jnp.int32)]


def test_what_an_example_does_not_decide_is_not_asked_for_again() -> None:
    class Own(TypedState):
        any: nnx.Variable

    assert refusal(abstract, Own, like=state({"any": leaf(nnx.Variable, [1, 2])})) == [
        "abstract(Own) can't be made:",
        "  any: its shape and dtype are open: say more in the schema",
    ]


def test_a_number_of_entries_below_none_is_refused() -> None:
    class Layers(TypedState):
        layers: Bind[StateMap[int, nnx.Param[Float[Array, ""]]], "len=n"]

    assert refusal(abstract, Layers, n=-1, dtype=jnp.float32) == [
        "abstract(Layers) can't be made:",
        "  layers: how many entries? -1 is no number of them",
    ]


def test_a_name_that_no_dim_has_is_refused() -> None:
    class Scalar(TypedState):
        value: nnx.Param[Float[Array, ""]]

    assert refusal(abstract, Scalar, d=1) == [
        "abstract(Scalar): there is no dim 'd'; there are none"
    ]


@pytest.mark.parametrize("sizes", [2, [2, 3], (2, 3)])
def test_a_run_of_axes_takes_several_sizes(sizes: Any) -> None:
    class Runs(TypedState):
        value: Annotated[nnx.Param[Float[Array, "*batch d"]], "of several axes"]

    if sizes == 2:
        assert refusal(abstract, Runs, batch=2, d=4, dtype=jnp.float32) == [
            "abstract(Runs) can't be made:",
            "  value: axis 0 is open: give batch=(...)",
        ]
    else:
        made = abstract(Runs, batch=sizes, d=4, dtype=jnp.float32)
        assert [item.shape for item in jax.tree.leaves(made)] == [(2, 3, 4)]
    assert len(jax.tree.leaves(specs(Runs, batch=(2, 3), d=4))) == 1


def test_a_dim_of_an_inner_class_that_is_called_as_one_outside() -> None:
    class Inner(TypedState):
        kernel: nnx.Param[Float[Array, "d"]]

    class Outer(TypedState):
        inner: Inner
        scale: nnx.Param[Float[Array, "d"]]

    assert refusal(abstract, Outer, d=2, dtype=jnp.float32) == [
        "abstract(Outer) can't be made:",
        "  inner.kernel: axis 0 is open: its d is another dim than the given one: "
        "link it in the schema, by Bind",
    ]
