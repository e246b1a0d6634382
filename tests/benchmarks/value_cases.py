"""Checks of one value: states and modules, accepted and refused, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from beartype import beartype
from flax import nnx
from jaxtyping import Array, Float, PyTree, jaxtyped

from tests.zoo import LinearState, MlpState
from tests.zoo.tower import Tower, TowerState
from typedstate import (
    Abstract,
    Bind,
    Like,
    Only,
    Placed,
    Pure,
    StateMap,
    StateOf,
    TypedState,
    check,
    checked,
    explain,
    fits,
)

from . import models, peers
from .measure import WARM, Effort, Time, Work, measure, measure_cold, once, peak_bytes
from .row import Row, count, least, state_of

#: Of ``jax.tree.leaves``; 0.05 of it is to ask each array whether it was donated. More than merely
#: touching the leaves takes it can't be by much, which is a cap of its own.
CAP, TOUCHING = 0.2, 1.3
#: The call itself counts; the cache holds no more, and touching the leaves takes up to 0.36.
_CAPS = {10: 0.3, 10_000: 0.4}
FLOAT_LEAF = nnx.Param[Float[Array, "..."]]


def passing(size: int, effort: Effort) -> Iterator[Row]:
    """A passing check of a nested state, next to what Flax, a bare loop and the peers take."""
    state = state_of(models.tower(size))
    touch = peers.touching(state)
    works: dict[str, Work] = {
        "ours": lambda: fits(state, TowerState),
        "tree.leaves": lambda: jax.tree.leaves(state),
        "touching": lambda: touch(state),
        **peers.of(state),
    }
    slow = peers.slow(state)
    few = replace(effort, repeats=min(effort.repeats, 3)) if size > 1000 else effort
    times = dict(zip(works, measure(effort, *works.values()), strict=True))
    times |= zip(slow, measure(few, *slow.values()), strict=True)
    assert fits(state, TowerState)
    others = {name: time.least for name, time in times.items() if name not in ("ours", "touching")}
    n = count(state)
    ours = times["ours"]
    cap = _CAPS.get(size, CAP)
    yield Row("passing check", n, cap, ours, "jax.tree.leaves", times["tree.leaves"], others=others)
    if size >= 100:
        yield Row("passing check", n, TOUCHING, ours, "touching each leaf", times["touching"])
    if size > 1000:
        cold, base, touched = measure_cold(
            effort, works["ours"], works["tree.leaves"], works["touching"]
        )
        text = "passing check, nothing in the cache"
        yield Row(text, n, None, cold, "jax.tree.leaves", base)
        yield Row(text, n, None, cold, "touching each leaf", touched)


def _against_leaves(work: str, target: float | None, state: Any, hint: Any, effort: Effort) -> Row:
    assert fits(state, hint), explain(state, hint)
    ours, base = measure(effort, lambda: fits(state, hint), lambda: jax.tree.leaves(state))
    return Row(work, count(state), target, ours, "jax.tree.leaves", base)


def kinds(size: int, effort: Effort) -> Iterator[Row]:
    """States with PRNG keys, with an optimizer's moments, and every form."""
    drops = state_of(models.Drops(size))
    text = "passing check, a third PRNG keys"
    yield _against_leaves(text, 0.25, drops, models.DropsState, effort)
    trained = state_of(models.Trained(max(1, (size - 11) // 48)))
    text = "passing check, transformer and adamw"
    yield _against_leaves(text, CAP, trained, models.TrainedState, effort)
    tower = models.tower(size)
    state = state_of(tower)
    by_hand = nnx.State({"blocks": nnx.State(dict(state["blocks"])), "head": state["head"]})
    forms: dict[str, tuple[Any, Any]] = {
        "Only[S, nnx.Param]": (nnx.state(tower, nnx.Param), Only[TowerState, nnx.Param]),
        "Pure[S]": (nnx.to_pure_dict(state), Pure[TowerState]),
        "Abstract[S]": (jax.eval_shape(lambda: state), Abstract[TowerState]),
        "Like[S, OptVariable]": (
            _with_kind(state, nnx.optimizer.OptVariable),
            Like[TowerState, nnx.optimizer.OptVariable],
        ),
        "StateOf[leaf]": (state, StateOf[FLOAT_LEAF]),
        "unions and extras": (state, OpenState),
        "States nested by hand": (by_hand, TowerState),
        "axis names": (models.named_state(size), models.NamedState),
        "Placed[S]": (models.named_state(size), Placed[models.NamedState]),
    }
    for name, (value, hint) in forms.items():
        # a dict's tree.leaves runs no Python; where an array is lies with JAX
        target = None if name in ("Pure[S]", "Placed[S]") else CAP
        if name == "axis names":  # and their metadata
            target = 0.25
        yield _against_leaves(f"passing check, {name}", target, value, hint, effort)


def _with_kind(state: Any, kind: type[nnx.Variable[Any]]) -> Any:
    """The state with Variables of another kind, which hold the same arrays."""
    flat = nnx.to_flat_state(state)
    return nnx.from_flat_state([(path, kind(leaf.get_raw_value())) for path, leaf in flat])


class OtherState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]


class OpenBlockState(TypedState, extra="allow"):
    up: OtherState | LinearState


class OpenState(TypedState, extra="allow"):
    blocks: StateMap[int, OpenBlockState]


def new_dims(size: int, effort: Effort) -> Iterator[Row]:
    """States of one structure, each with dims that were not seen before."""

    class FreshState(TypedState):  # knows nothing yet
        blocks: Bind[StateMap[int, Bind[MlpState, "d"]], "len=layers"]
        head: Bind[LinearState, "din=d dout=vocab"]

    states = [models.tower_state(size, d) for d in range(4, 8 + min(effort.repeats, 20))]
    for first in [states.pop() for _ in range(WARM)]:
        fits(first, FreshState)
    base: list[float] = []
    ours: list[float] = []
    touch = peers.touching(states[0])
    for state in states:
        for work in (jax.tree.leaves, touch):  # as after a step: from the cache, not from memory
            work(state)
        ours.append(once(partial(fits, state, FreshState)))
        base.append(once(partial(jax.tree.leaves, state)))
    yield Row(
        "passing check, dims not seen before",
        count(states[0]),
        0.25,
        least(ours),
        "jax.tree.leaves",
        least(base),
    )


def module(size: int, effort: Effort) -> Iterator[Row]:
    """A module, read in place."""
    tower = models.tower(size)

    @checked
    def ours(model: Annotated[Tower, TowerState]) -> None: ...

    def plain(model: Any) -> None: ...

    works = (lambda: ours(tower), lambda: nnx.split(tower), lambda: plain(tower))
    a, b, c = measure(effort, *works)
    yield Row("Annotated[Module, S]", count(state_of(tower)), 0.05, a, "nnx.split", b, c)


def failing(size: int, effort: Effort) -> Iterator[Row]:
    """A refused state: the whole report against the walk that finds nothing, and the peers."""
    state = state_of(models.tower(size))
    broken = state_of(models.tower(size))
    blocks = broken["blocks"]
    blocks[1]["up"]["kernel"] = nnx.Param(jnp.ones((4, 9)))
    blocks[2]["up"]["kernal"] = dict(blocks[2]["up"]).pop("kernel")
    del blocks[2]["up"]["kernel"]
    broken["head"]["kernel"] = nnx.BatchStat(jnp.ones((4, 3)))
    assert len(explain(broken, TowerState).violations) == 4

    def ours() -> str:
        try:
            check(broken, TowerState)
        except TypeError as error:
            return str(error)
        raise AssertionError("accepted")

    n = count(state)

    def walk() -> str:
        return str(explain(state, TowerState))

    a, walked, leaves = measure(effort, ours, walk, lambda: jax.tree.leaves(state))
    yield Row("walk of a right state, with its report", n, 4.0, walked, "jax.tree.leaves", leaves)
    # a walk, and an eighth of one to look for what explains the faults
    yield Row("failing check, full report", n, 4.5, a, "jax.tree.leaves", leaves)

    @jaxtyped(typechecker=beartype)
    def theirs(tree: PyTree[Float[Array, "4 _"]]) -> None: ...

    def refused() -> None:
        try:
            theirs(state)
        except Exception:
            return
        raise AssertionError("accepted")

    seconds = once(refused)
    yield Row(
        "failing check, full report", n, 0.01, a, "jaxtyped(beartype)", Time(seconds, seconds)
    )
    wrong = _with_kind(state, nnx.BatchStat)
    a, b = measure(
        effort,
        lambda: str(explain(wrong, TowerState)),
        lambda: explain(state, TowerState),
    )
    yield Row("failing check, every leaf wrong", n, 4.0, a, "walk of a right state", b)


def memory(sizes: tuple[int, int]) -> Iterator[Row]:
    """The most that a passing check holds at a time, for few and for many leaves."""

    @checked
    def run(model: Annotated[Tower, TowerState]) -> None: ...

    towers = [models.tower(size) for size in sizes]
    states = [state_of(tower) for tower in towers]
    for work, works in (
        ("check", [partial(fits, state, TowerState) for state in states]),
        ("check of a module", [partial(run, tower) for tower in towers]),
    ):
        base, ours = (Time(float(n), float(n)) for n in map(peak_bytes, works))
        text, few = f"memory of a passing {work}", f"{sizes[0]} leaves"
        yield Row(text, sizes[1], 1.5, ours, few, base, unit="B")
