"""The fault matrix: seeded faults are found at their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from tests.validation.faults import (
    FAULTS,
    Tree,
    WholeState,
    nested,
    param,
    whole,
)
from typedstate import Shared, TypedState, explain, fits


@pytest.mark.parametrize(("name", "break_", "expected"), FAULTS, ids=[item[0] for item in FAULTS])
def test_a_fault_is_found_where_it_is(
    name: str, break_: Callable[[Tree], None], expected: list[tuple[str, str]]
) -> None:
    tree = whole()
    break_(tree)
    report = explain(nnx.State(tree), WholeState)
    assert [(found.path, found.code) for found in report.violations] == expected
    assert not isinstance(nnx.State(tree), WholeState)
    assert not fits(nnx.State(tree), WholeState)


@pytest.mark.parametrize(("name", "break_", "expected"), FAULTS, ids=[item[0] for item in FAULTS])
def test_a_fault_is_found_in_hand_nested_states_and_plain_dicts_too(
    name: str, break_: Callable[[Tree], None], expected: list[tuple[str, str]]
) -> None:
    tree = whole()
    break_(tree)
    for value in (tree, nested(tree)):
        report = explain(value, WholeState)
        assert [(found.path, found.code) for found in report.violations] == expected


def test_more_faults_by_size_predicate_and_sharing() -> None:
    class Fixed(TypedState):
        kernel: nnx.Param[Float[Array, "3 4*n"]]

    found = explain(nnx.State({"kernel": param(2, 6)}), Fixed)
    assert [str(item) for item in found.violations] == [
        "kernel: expected 3 on axis 0, found 2 [size]",
        "kernel: 4*n is 6, but no n makes 4*n that [dim]",
    ]
    tree = whole(d=9)
    report = explain(nnx.State(tree), WholeState)
    assert [(item.path, item.code) for item in report.violations] == [("positive", "predicate")]

    model = zoo.Tied(5, 3, nnx.Rngs(0))
    assert explain(model, Annotated[zoo.Tied, zoo.TiedState])
    model.head = nnx.Param(jnp.ones((5, 3)))
    report = explain(model, Annotated[zoo.Tied, zoo.TiedState])
    assert [(item.path, item.code) for item in report.violations] == [("head", "extra")]


def test_a_variable_that_is_shared_with_another_one_than_declared() -> None:
    model = zoo.Tied(5, 3, nnx.Rngs(0))
    model.other = nnx.Param(jnp.ones((5, 3)))
    model.zzz = model.other

    class Other(TypedState):
        embed: Any
        other: nnx.Param
        scale: Any
        head: Annotated[nnx.Param, Shared("embed.embedding")]
        zzz: Annotated[nnx.Param, Shared("embed.embedding")]

    report = explain(model, Annotated[zoo.Tied, Other])
    assert [str(item) for item in report.violations] == [
        "zzz: expected the Variable of embed.embedding, found that of other [metadata]"
    ]


def test_every_code_is_seeded() -> None:
    from typedstate.report import CODES

    seeded = {code for _, _, expected in FAULTS for _, code in expected}
    assert seeded | {"size", "predicate", "metadata"} == set(CODES)
    assert len(FAULTS) >= 40
