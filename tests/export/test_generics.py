"""Schemas made of generic ones: the names in a type argument stay those of where it stands."""

from __future__ import annotations

import sys
import textwrap
import types
from typing import Any, Generic, TypeVar

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState, leaf, state
from typedstate import (
    Bind,
    Only,
    Pure,
    SchemaDocument,
    SchemaError,
    StateMap,
    TypedState,
    diff,
    explain,
    fits,
    layers,
    to_source,
)

A = TypeVar("A")
B = TypeVar("B")


class Box(TypedState, Generic[A]):
    x: A
    y: A | None


class Two(TypedState, Generic[A, B]):
    first: Box[A]
    rest: StateMap[str, B]


class Tree(TypedState, Generic[A]):
    below: Tree[A] | None
    leaf: A


class Loop(TypedState):
    kernel: nnx.Param
    below: Loop | None


class Many(TypedState, Generic[A], extra={"layer_{}": A}):
    head: nnx.Param


class Child(Box[LinearState]):
    z: nnx.Param


class One(Box[A], Generic[A]):
    w: nnx.Param


class Model(TypedState):
    a: Bind[LinearState, "din dout"]
    box: Box[Bind[LinearState, "din=dout dout=hidden"]]
    two: Two[LinearState, Bind[LinearState, "din=hidden dout=din"]]
    tree: Tree[Bind[LinearState, "din dout=din"]]
    either: Box[Bind[LinearState, "din"] | layers.EmbedState]
    child: Child
    kernel: Box[nnx.Param[Float[Array, "hidden"]]]
    part: Only[Box[Bind[LinearState, "din=dout dout=hidden"]], nnx.Param]
    many: Many[Bind[LinearState, "din"]]
    rows: StateMap[str, Box[LinearState]]


HINTS: list[Any] = [
    *(Model, Box[LinearState], Two[LinearState, LinearState], Tree[LinearState], Child),
    *(One[LinearState], Box[nnx.Param[Float[Array, "d"]]], Pure[Box[LinearState]]),
    *(Many[LinearState], layers.SequentialState[Box[LinearState]]),
]
hints = pytest.mark.parametrize("hint", HINTS, ids=lambda hint: hint.__name__)


def run(source: str) -> Any:
    module = types.ModuleType("tests.export.written_generics")
    sys.modules[module.__name__] = module
    exec(compile(source, "<source>", "exec", dont_inherit=True), vars(module))
    return list(vars(module).values())[-1]


def same(first: Any, second: Any) -> bool:
    return diff(first, second).exit_status == 0


@hints
def test_the_document_of_one_comes_back_as_the_same(hint: Any) -> None:
    document = SchemaDocument.of(hint)
    read = SchemaDocument.from_json(document.to_json()).to_schema()
    assert same(hint, read)
    assert SchemaDocument.of(read).model_copy(update={"name": document.name}) == document


@hints
def test_the_source_of_one_comes_back_as_the_same(hint: Any) -> None:
    written = run(to_source(hint))
    assert same(hint, written)
    assert same(hint, run(to_source(written)))


@hints
def test_the_source_of_a_document_of_one_comes_back_as_the_same(hint: Any) -> None:
    read = SchemaDocument.of(hint).to_schema()
    assert same(hint, run(to_source(read)))


def linear(din: int, dout: int) -> dict[str, Any]:
    return {"kernel": leaf(nnx.Param, jnp.ones((din, dout)))}


class Chain(TypedState):
    first: Bind[LinearState, "din dout"]
    rest: Box[Bind[LinearState, "din=dout dout=last"]]


def test_what_comes_back_still_ties_the_names_of_an_argument_to_those_around() -> None:
    right = state({"first": linear(2, 3), "rest": {"x": linear(3, 4), "y": linear(3, 4)}})
    loose = state({"first": linear(2, 3), "rest": {"x": linear(5, 4), "y": linear(5, 4)}})
    apart = state({"first": linear(2, 3), "rest": {"x": linear(3, 4), "y": linear(3, 5)}})
    for hint in (
        Chain,
        SchemaDocument.of(Chain).to_schema(),
        run(to_source(Chain)),
        run(to_source(SchemaDocument.of(Chain).to_schema())),
    ):
        assert fits(right, hint)
        assert str(explain(loose, hint)) == str(explain(loose, Chain))
        assert not fits(loose, hint)
        assert not fits(apart, hint)


def test_a_generic_class_is_written_once_with_variables() -> None:
    class Twice(TypedState):
        one: Box[Bind[LinearState, "din=d dout=hidden"]]
        two: Box[Bind[LinearState, "din=hidden dout=d"]]

    assert to_source(Twice) == textwrap.dedent("""\
        from typing import Generic, TypeVar

        from flax import nnx
        from jaxtyping import Array, Float
        from typedstate import Bind, TypedState


        A = TypeVar("A")


        class Box(TypedState, Generic[A]):
            x: A
            y: A | None


        class LinearState(TypedState):
            kernel: nnx.Param[Float[Array, "din dout"]]
            bias: nnx.Param[Float[Array, "dout"]] | None


        class Twice(TypedState):
            one: Box[Bind[LinearState, "din=d dout=hidden"]]
            two: Box[Bind[LinearState, "din=hidden dout=d"]]
        """)


def test_an_argument_of_the_class_statement_in_two_fields_has_a_base() -> None:
    base, child = to_source(Child).split("\n\n\n")[2::2]
    assert (
        base
        == "class ChildOf(TypedState, Generic[A]):\n    x: A\n    y: A | None\n    z: nnx.Param"
    )
    assert child == 'class Child(ChildOf[LinearState]):\n    """No field of its own."""\n'


@pytest.mark.parametrize("schema", [Loop, Tree[LinearState]], ids=lambda schema: schema.__name__)
def test_a_form_without_an_end_is_refused(schema: Any) -> None:
    read = SchemaDocument.of(Only[schema, nnx.PathContains("x")]).to_schema()
    with pytest.raises(SchemaError, match=r"more than 2000 classes|nested too deeply"):
        to_source(read)


def test_the_name_of_an_argument_is_one_for_the_caller_still() -> None:
    two = state({"x": linear(2, 3), "y": linear(2, 3)})
    read = SchemaDocument.of(Box[LinearState]).to_schema()
    for hint in (Box[LinearState], read, run(to_source(Box[LinearState]))):
        assert explain(two, hint).dims == {"din": 2, "dout": 3}
