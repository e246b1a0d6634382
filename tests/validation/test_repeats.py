"""Like entries of a map are walked once: every report is the one that walking each would give."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.benchmarks import models
from tests.zoo import LinearState
from tests.zoo.tower import TowerState
from typedstate import Bind, Only, StateMap, TypedState, explain
from typedstate._validation import repeats
from typedstate._validation.walk import Walk


class TiedState(TypedState):
    first: Bind[LinearState, "din=d dout=2*d"]
    rest: StateMap[int, Bind[LinearState, "din=d dout=d"]]


class NestedState(TypedState):
    blocks: StateMap[int, StateMap[str, Bind[LinearState, "din=d dout=e"]]]


class EitherState(TypedState):
    layers: StateMap[int, Bind[LinearState, "din=d dout=d"] | Bind[LinearState, "din=d dout=e"]]


def linear(din: int, dout: int) -> dict[str, Any]:
    return {"kernel": nnx.Param(jnp.ones((din, dout))), "bias": nnx.Param(jnp.ones(dout))}


CASES: dict[str, tuple[Any, Callable[[], Any]]] = {
    "tower": (TowerState, lambda: models.tower_state(40, 4)),
    "bound": (
        TiedState,
        lambda: {"first": linear(3, 6), "rest": {i: linear(3, 3) for i in range(6)}},
    ),
    "nested": (
        NestedState,
        lambda: {"blocks": {i: {k: linear(2, 3) for k in "abc"} for i in range(4)}},
    ),
    "union": (EitherState, lambda: {"layers": {i: linear(3, 3 + i % 2) for i in range(6)}}),
    "moments": (models.TrainedState, lambda: nnx.state(models.Trained(3))),
}


def explained(value: Any, hint: Any, monkeypatch: pytest.MonkeyPatch, *, each: bool) -> str:
    with monkeypatch.context() as patch:
        if each:
            patch.setattr(repeats, "_can_repeat", lambda spec, known: False)
        report = explain(value, hint)
    return f"{report}\n{report.violations}\n{report.dims}\n{report.unknown}\n{report.cause}"


def branches(tree: Any) -> list[Any]:
    """Every dict of a tree that holds leaves."""
    mapping = tree.raw_mapping if isinstance(tree, nnx.State) else tree
    if not isinstance(mapping, dict):
        return []
    below = [found for item in mapping.values() for found in branches(item)]
    return [*below, mapping] if any(not isinstance(i, dict) for i in mapping.values()) else below


def change(tree: Any, chance: Random) -> None:
    """Changes one leaf or key of a tree."""
    branch = chance.choice(branches(tree))
    key = chance.choice(list(branch))
    leaf, other = branch[key], chance.choice(branches(tree))
    gone = jnp.ones(3) + 1
    gone.delete()
    match chance.randrange(10):
        case 0:
            branch[key] = nnx.Param(jnp.ones((4, 9)))
        case 1:
            branch[key] = nnx.BatchStat(jnp.ones((4, 8)))
        case 2:
            del branch[key]
        case 3:
            branch[f"{key}_"] = branch.pop(key)
        case 4:
            branch["more"] = nnx.Param(jnp.ones(2))
        case 5:
            branch[key] = nnx.Param(np.ones((4, 8), np.float32))
        case 6:
            branch[key] = jax.ShapeDtypeStruct((4, 8), jnp.float32)
        case 7:
            branch[key] = nnx.Param(gone)
        case 8:
            branch[key] = other.get(key, leaf)
        case _:
            branch[key] = nnx.Param(jnp.ones((4, 8), jnp.int32))


@pytest.mark.parametrize("name", CASES)
def test_every_report_is_that_of_a_walk_of_each_entry(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hint, make = CASES[name]
    fitting = make()
    assert explain(fitting, hint), explain(fitting, hint)
    for seed in range(60):
        chance, value = Random(f"{name} {seed}"), jax.tree.map(lambda leaf: leaf, fitting)
        for _ in range(chance.randrange(4)):
            change(value, chance)
        once = explained(value, hint, monkeypatch, each=False)
        assert once == explained(value, hint, monkeypatch, each=True), seed


@pytest.mark.parametrize("name", CASES)
def test_abstract_and_traced_values_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hint, make = CASES[name]
    value = make()

    def trace(value: Any) -> None:
        once = explained(value, hint, monkeypatch, each=False)
        assert once == explained(value, hint, monkeypatch, each=True)

    jax.eval_shape(trace, value)
    trace(jax.eval_shape(lambda value: value, value))


def test_like_entries_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []
    leaf = Walk.leaf

    def counted(self: Walk, value: Any, spec: Any, path: Any, scope: Any) -> None:
        walked.append(".".join(map(str, path)))
        leaf(self, value, spec, path, scope)

    monkeypatch.setattr(Walk, "leaf", counted)
    assert explain(models.tower_state(40, 4), TowerState)
    assert len([path for path in walked if path.startswith("blocks")]) == 4

    walked.clear()
    jax.eval_shape(lambda state: [explain(state, TowerState)][:0], models.tower_state(40, 4))
    assert len([path for path in walked if path.startswith("blocks")]) == 4


def test_what_more_than_sizes_decides_is_walked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class FreeState(TypedState):
        layers: StateMap[int, Only[LinearState, nnx.Param]]

    state = {"layers": {0: linear(2, 3), 1: linear(2, 3), 2: linear(2, 4)}}
    assert explain(state, FreeState)
    state["layers"][1]["kernel"] = jnp.ones((2, 3))
    assert [item.path for item in explain(state, FreeState).violations] == ["layers[1].kernel"]


def test_a_wrong_entry_among_like_ones_is_named() -> None:
    class StackState(TypedState):
        layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]

    state = {"layers": {index: linear(3, 3) for index in range(5)}}
    state["layers"][3]["bias"] = nnx.Param(jnp.ones(4))
    assert str(explain(state, StackState)) == (
        "does not fit StackState: 1 violation\n"
        "  layers[3].bias: dout is 4, but d=3 from layers[0].kernel, axis 0 [dim]\n"
        "  dims: d=3"
    )
