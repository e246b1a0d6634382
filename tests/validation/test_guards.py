"""What decides by more than keys, classes and sizes is asked again of every value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, NamedTuple, Protocol, runtime_checkable
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests import zoo
from tests.agreement import warm
from typedstate import Specs, StateMap, TypedState, source_of
from typedstate._validation.guards import same_key


class Point(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Place:
    x: int


@dataclass(frozen=True)
class Compared:
    """Equal to every other one."""

    x: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compared)

    def __hash__(self) -> int:
        return 0


class Equal:
    """Equal to what it was made of, and no such thing."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return bool(self.value == other)

    def __hash__(self) -> int:
        return hash(self.value)


@runtime_checkable
class HasName(Protocol):
    name: str


class Thing:
    def __init__(self, *names: str) -> None:
        for name in names:
            setattr(self, name, name)


class Picky(type):
    def __instancecheck__(cls, value: object) -> bool:
        return getattr(value, "good", "") == "good"


class Good(metaclass=Picky): ...


def ones(*shape: int, dtype: Any = "float32") -> jax.Array:
    return jnp.ones(shape, dtype)


def param(value: Any) -> Any:
    return zoo.leaf(nnx.Param, value)


# -- Keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [Point(0, 0), Place(0)], ids=["NamedTuple", "dataclass"])
def test_a_record_as_a_key_does_not_hide_the_value(key: Any) -> None:
    doors = warm(dict[type(key), Float[Array, "n"]], {key: ones(3)})
    assert doors.ask({key: ones(4)})
    assert not doors.ask({key: ones(3, 3)})
    assert not doors.ask({key: ones(3, dtype="int32")})
    doors = warm(dict[type(key), nnx.Param[Float[Array, "n"]]], {key: param(ones(3))})
    assert not doors.ask({key: param(ones(3, 3))})
    doors = warm(
        dict[type(key), tuple[Float[Array, "n"], Float[Array, "n"]]], {key: (ones(3),) * 2}
    )
    assert not doors.ask({key: (ones(3), ones(4))})


def test_keys_that_are_equal_may_differ_in_a_field() -> None:
    doors = warm(dict[Point, jax.Array], {Point(0, 1): ones(3)})
    assert doors.ask({Point(0, 1): ones(3)})
    assert not doors.ask({(0, 1): ones(3)})
    doors = warm(dict[tuple[int, int], jax.Array], {(0, 1): ones(3)})
    assert not doors.ask({(0, 1.0): ones(3)})
    doors = warm(dict[Compared, jax.Array], {Compared(0): ones(3)})
    assert not doors.ask({Equal(Compared(0)): ones(3)})


@pytest.mark.parametrize(
    "key", [Fraction(1), np.True_, 1 + 0j, Equal(1)], ids=["Fraction", "bool_", "complex", "equal"]
)
def test_what_equals_an_int_is_no_int_key(key: Any) -> None:
    leaf = param(ones(2))
    for hint in (StateMap[int, nnx.Param], dict[int, nnx.Param]):
        doors = warm(hint, {0: leaf, 1: leaf})
        assert not doors.ask({0: leaf, key: leaf})


def test_what_equals_a_str_is_no_str_key() -> None:
    leaf = param(ones(2))
    for hint in (StateMap[str, nnx.Param], dict[str, nnx.Param]):
        doors = warm(hint, {"a": leaf})
        assert not doors.ask({Equal("a"): leaf})


def test_what_equals_a_key_like_a_pattern_is_none() -> None:
    class Layers(TypedState, extra={"layer_{}": nnx.Param}):
        head: nnx.Param

    leaf = param(ones(2))
    doors = warm(Layers, {"head": leaf, "layer_0": leaf})
    assert not doors.ask({"head": leaf, Equal("layer_0"): leaf})
    assert doors.ask({Equal("head"): leaf, "layer_0": leaf})  # a dict finds it under "head"


def test_one_line_of_code_asks_about_the_keys_of_like_levels() -> None:
    hint = StateMap[int, StateMap[str, nnx.Param[Float[Array, "n"]]]]
    tree = {i: {f"k{j}": param(ones(2)) for j in range(3)} for i in range(40)}
    assert warm(hint, nnx.State(tree)).ask(nnx.State(tree))
    assert source_of(hint).count("\n") < 30


def test_same_keys() -> None:
    assert same_key(Point(0, 1), Point(0, 1))
    assert same_key(("a", None, 1.5), ("a", None, 1.5))
    assert not same_key((1,), (True,))
    assert not same_key(frozenset({1}), frozenset({1}))  # any class of its own: only itself
    assert same_key(jax.Array, jax.Array)


# -- Classes -------------------------------------------------------------------------------


def test_a_protocol_asks_each_object() -> None:
    class S(TypedState):
        a: nnx.Param[HasName]

    doors = warm(S, {"a": param(Thing("name"))})
    assert not doors.ask({"a": param(Thing())})
    doors = warm(list[HasName | jax.Array], [Thing("name"), ones(2)])
    assert not doors.ask([Thing(), ones(2)])


def test_a_union_with_a_protocol_asks_each_object() -> None:
    class S(TypedState):
        a: nnx.Param[HasName] | nnx.Param[Good]

    doors = warm(S, {"a": param(Thing("name"))}, {"a": param(Thing("good"))})
    assert doors.ask({"a": param(Thing("name", "good"))})
    assert not doors.ask({"a": param(Thing("bad"))})


def test_a_metaclass_and_an_object_may_say_what_it_is() -> None:
    class S(TypedState):
        a: nnx.Param[Good]
        b: nnx.Param[Point]

    point = mock.MagicMock(spec=Point(0, 0))
    point.x = point.y = 0
    tree = {"a": param(Thing("good")), "b": param(Point(0, 0))}
    doors = warm(S, tree)
    assert not doors.ask({**tree, "a": param(Thing("other"))})
    other = type(point)()
    assert doors.ask({**tree, "b": param(point)}) is not doors.ask({**tree, "b": param(other)})


def test_an_object_of_one_class_may_have_a_shape_or_none() -> None:
    hint = dict[str, Float[Any, "n"] | Thing]
    shaped = Thing()
    shaped.shape, shaped.dtype = (3,), np.dtype("float32")  # type: ignore[attr-defined]
    doors = warm(hint, {"a": Thing(), "b": ones(3)})
    assert doors.ask({"a": shaped, "b": ones(3)})


# -- Values --------------------------------------------------------------------------------

Positive = Annotated[Float[Array, "n"], Is[lambda a: bool((a > 0).all())]]


def test_a_validator_in_a_union_is_asked_of_what_the_variable_holds() -> None:
    class S(TypedState):
        a: nnx.Param[Positive | None]

    doors = warm(S, {"a": param(ones(3))}, {"a": param(None)})
    assert not doors.ask({"a": param(-ones(3))})
    asked: list[type] = []

    def noted(value: Any) -> bool:
        asked.append(type(value))
        return True

    class T(TypedState):
        a: nnx.Param[Annotated[jax.Array, Is[noted]] | None]

    warm(T, {"a": param(ones(3))}).ask({"a": param(ones(3))})
    assert nnx.Param not in asked


def test_axis_names_in_a_list_may_change() -> None:
    class S(TypedState):
        a: Annotated[nnx.Param[Float[Array, "n m"]], P("embed", "mlp")]

    names = ["embed", "mlp"]
    leaf = zoo.leaf(nnx.Param, ones(2, 2), sharding=names, eager_sharding=False)
    doors = warm(S, {"a": leaf})
    names.reverse()
    assert not doors.ask({"a": leaf})


def test_a_partition_that_names_an_axis_twice_is_seen() -> None:
    class S(TypedState):
        a: nnx.Param[Float[Array, "n m"]]

    doors = warm(Specs[S], {"a": P("x", "y")})
    assert not doors.ask({"a": P("x", "x")})
