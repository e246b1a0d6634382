"""Defaults of type variables (PEP 696): of a class what it is bare, of a function nothing."""

from __future__ import annotations

from typing import Any, Generic

import jax.numpy as jnp
import pytest
import typing_extensions
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import leaf, state
from typedstate import SchemaError, StateTypeError, TypedState, checked, explain, fits


class DenseState(TypedState):
    kernel: nnx.Param[Float[Array, "n m"]]


class ScaleState(TypedState):
    scale: nnx.Param[Float[Array, "n"]]


A = typing_extensions.TypeVar("A", default=DenseState)
B = typing_extensions.TypeVar("B", default=A)


class Block(TypedState, Generic[A]):
    inner: A


class Both(TypedState, Generic[A, B]):
    first: A
    second: B


DENSE: Any = {"kernel": leaf(nnx.Param, jnp.ones((2, 3)))}
SCALE: Any = {"scale": leaf(nnx.Param, jnp.ones(2))}


def test_a_bare_generic_schema_is_that_of_its_defaults() -> None:
    assert fits(state({"inner": DENSE}), Block)
    report = explain(state({"inner": SCALE}), Block)
    assert [str(one) for one in report.violations] == [
        'inner.kernel: missing, expected Param[Float[Array, "n m"]] [missing]',
        "inner.scale: not declared, found Param float32[2] [extra]",
    ]
    assert fits(state({"inner": SCALE}), Block[ScaleState])


def test_arguments_that_are_left_out_are_defaults() -> None:
    both: Any = Both
    assert fits(state({"first": SCALE, "second": SCALE}), both[ScaleState])
    assert not fits(state({"first": SCALE, "second": DENSE}), both[ScaleState])
    assert fits(state({"first": SCALE, "second": DENSE}), both[ScaleState, DenseState])
    assert fits(state({"first": DENSE, "second": DENSE}), Both)
    with pytest.raises(SchemaError) as error:
        both[ScaleState, DenseState, DenseState]
    assert str(error.value) == "Both takes 2 types, got 3"


def test_a_default_of_a_function_s_own_variable_constrains_nothing() -> None:
    """A type checker takes a default where it finds no type; a call has one."""

    @checked
    def use(x: A, y: list[A]) -> A:
        return x

    assert use(SCALE, [DENSE]) == SCALE
    assert use(DENSE, [SCALE]) == DENSE

    @checked
    def enforced(x: Block, y: Block[A]) -> None: ...

    with pytest.raises(StateTypeError):
        enforced(state({"inner": SCALE}), state({"inner": SCALE}))
    enforced(state({"inner": DENSE}), state({"inner": SCALE}))
