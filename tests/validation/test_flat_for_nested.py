"""A flat tree where a nested one is declared is one mistake, told with its fix."""

from __future__ import annotations

from typing import Any

import flax.traverse_util
import jax.numpy as jnp
import pytest
from flax import nnx

from tests import zoo
from tests.zoo import LinearState
from typedstate import Flat, Pure, StateMap, TypedState, explain


class ModelState(TypedState):
    head: LinearState
    layers: StateMap[int, LinearState]


def nested(din: int = 2) -> dict[str, Any]:
    def linear() -> dict[str, Any]:
        return {
            "kernel": zoo.leaf(nnx.Param, jnp.ones((din, 3))),
            "bias": zoo.leaf(nnx.Param, jnp.ones(3)),
        }

    return {"head": linear(), "layers": {0: linear(), 1: linear()}}


def joined(separator: str, tree: Any = None) -> dict[str, Any]:
    flat = flax.traverse_util.flatten_dict(nested() if tree is None else tree)
    return {separator.join(map(str, path)): leaf for path, leaf in flat.items()}


def lines(value: Any, hint: Any = ModelState) -> list[str]:
    return str(explain(value, hint)).splitlines()


@pytest.mark.parametrize("separator", [".", "/"])
def test_joined_names(separator: str) -> None:
    assert lines(joined(separator)) == [
        "does not fit ModelState: 1 violation",
        "  the value: expected a nested tree ModelState, found a flat one with keys such as "
        f"'head{separator}kernel' (Flat[..., '{separator}'] takes it, "
        f"flax.traverse_util.unflatten_dict(tree, sep='{separator}') nests it) [container]",
    ]
    assert explain(joined(separator), Flat[ModelState, separator])


def test_paths() -> None:
    flat = flax.traverse_util.flatten_dict(nested())
    assert lines(flat)[1:] == [
        "  the value: expected a nested tree ModelState, found a flat one with keys such as "
        "('head', 'kernel') (Flat[...] takes it, flax.traverse_util.unflatten_dict nests it) "
        "[container]"
    ]
    assert explain(flax.traverse_util.unflatten_dict(flat), ModelState)
    assert explain(flat, Flat[ModelState])


def test_pairs() -> None:
    pairs = nnx.to_flat_state(nnx.State(nested()))
    note = "(a flat state: Flat[...] takes it, nnx.from_flat_state nests it)"
    for flat in (pairs, list(pairs)):
        name = type(flat).__name__
        assert lines(flat)[1:] == [
            f"  the value: expected a state ModelState, found {name} {note} [container]"
        ]
    assert explain(nnx.from_flat_state(pairs), ModelState)


def test_what_is_wrong_besides_is_told_by_its_nested_path() -> None:
    tree = nested()
    tree["head"]["kernel"] = zoo.leaf(nnx.Param, jnp.ones(3))
    del tree["layers"][1]["kernel"]
    assert [line.partition(":")[0].strip() for line in lines(joined(".", tree))[1:]] == [
        *("the value", "head.kernel", "layers[1].kernel"),
    ]


def test_values_by_name_for_a_pure_tree() -> None:
    values = joined(".", nnx.to_pure_dict(nnx.State(nested())))
    assert len(lines(values, Pure[ModelState])) == 2


def test_a_key_with_a_dot_that_is_declared_is_no_path() -> None:
    body = {"__module__": __name__, "__annotations__": {}}
    schema = type(TypedState)("Odd", (TypedState,), body, extra={"a.{}": nnx.Param})
    assert explain({"a.b": zoo.leaf(nnx.Param, jnp.ones(1))}, schema)
    assert [
        item.code for item in explain({"b.c": zoo.leaf(nnx.Param, jnp.ones(1))}, schema).violations
    ] == ["extra"]
