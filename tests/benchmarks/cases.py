"""The rows of the table: our work, the baseline it is held against, and the peers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from beartype import beartype
from flax import nnx
from jaxtyping import Array, Float, PyTree, jaxtyped

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

NOTHING = Time(0.0, 0.0)
FLOAT_LEAF = nnx.Param[Float[Array, "..."]]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      work: what is done.
      leaves: of the state.
      target: the most that `ratio` should be, None where there is none.
      ours: our time.
      baseline: its name.
      base: its time.
      less: what both times have in them and the ratio leaves out: the undecorated call.
      others: times of the peers by name.
      ratio: ours over the baseline; of the least times.
      unit: of the figures, ``s`` or ``B``.
    """

    work: str
    leaves: int
    target: float | None
    ours: Time
    baseline: str
    base: Time
    less: Time = NOTHING
    others: dict[str, float] = field(default_factory=dict[str, float])
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return (self.ours.least - self.less.least) / max(self.base.least - self.less.least, 1e-12)

    @property
    def median_ratio(self) -> float:
        base = max(self.base.median - self.less.median, 1e-12)
        return (self.ours.median - self.less.median) / base


def state_of(module: Any) -> Any:
    return nnx.state(module)


def count(state: Any) -> int:
    return len(jax.tree.leaves(state))


def passing(size: int, effort: Effort) -> Iterator[Row]:
    """A passing check of a nested state, next to what Flax, a bare loop and the peers take."""
    state = state_of(models.Tower(size))
    touch = peers.touching(state)
    works: dict[str, Work] = {
        "ours": lambda: fits(state, models.TowerState),
        "tree.leaves": lambda: jax.tree.leaves(state),
        "touching": lambda: touch(state),
        **peers.of(state),
    }
    slow = peers.slow(state)
    few = replace(effort, repeats=min(effort.repeats, 3)) if size > 1000 else effort
    times = dict(zip(works, measure(effort, *works.values()), strict=True))
    times |= zip(slow, measure(few, *slow.values()), strict=True)
    assert fits(state, models.TowerState)
    others = {name: time.least for name, time in times.items() if name not in ("ours", "touching")}
    n = count(state)
    ours = times["ours"]
    yield Row(
        "passing check", n, 0.15, ours, "jax.tree.leaves", times["tree.leaves"], others=others
    )
    if size >= 100:
        yield Row("passing check", n, 2.0, ours, "touching each leaf", times["touching"])
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
    yield _against_leaves(text, 0.15, trained, models.TrainedState, effort)
    tower = models.Tower(size)
    state = state_of(tower)
    by_hand = nnx.State({"blocks": nnx.State(dict(state["blocks"])), "head": state["head"]})
    forms: dict[str, tuple[Any, Any]] = {
        "Only[S, nnx.Param]": (nnx.state(tower, nnx.Param), Only[models.TowerState, nnx.Param]),
        "Pure[S]": (nnx.to_pure_dict(state), Pure[models.TowerState]),
        "Abstract[S]": (jax.eval_shape(lambda: state), Abstract[models.TowerState]),
        "Like[S, OptVariable]": (
            _with_kind(state, nnx.optimizer.OptVariable),
            Like[models.TowerState, nnx.optimizer.OptVariable],
        ),
        "StateOf[leaf]": (state, StateOf[FLOAT_LEAF]),
        "unions and extras": (state, OpenState),
        "States nested by hand": (by_hand, models.TowerState),
        "axis names": (models.named_state(size), models.NamedState),
        "Placed[S]": (models.named_state(size), Placed[models.NamedState]),
    }
    for name, (value, hint) in forms.items():
        # a dict's tree.leaves runs no Python; where an array is lies with JAX
        target = None if name in ("Pure[S]", "Placed[S]") else 0.15
        yield _against_leaves(f"passing check, {name}", target, value, hint, effort)


def _with_kind(state: Any, kind: type[nnx.Variable[Any]]) -> Any:
    """The state with Variables of another kind, which hold the same arrays."""
    flat = nnx.to_flat_state(state)
    return nnx.from_flat_state([(path, kind(leaf.get_raw_value())) for path, leaf in flat])


class OtherState(TypedState):
    scale: nnx.Param[Float[Array, "d"]]


class OpenBlockState(TypedState, extra="allow"):
    up: OtherState | models.LinearState


class OpenState(TypedState, extra="allow"):
    blocks: StateMap[int, OpenBlockState]


def new_dims(size: int, effort: Effort) -> Iterator[Row]:
    """States of one structure, each with dims that were not seen before."""

    class FreshState(TypedState):  # knows nothing yet
        blocks: Bind[StateMap[int, Bind[models.BlockState, "d"]], "len=layers"]
        head: Bind[models.LinearState, "din=d dout=classes"]

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
        0.20,
        _least(ours),
        "jax.tree.leaves",
        _least(base),
    )


def module(size: int, effort: Effort) -> Iterator[Row]:
    """A module, read in place."""
    tower = models.Tower(size)

    @checked
    def ours(model: Annotated[models.Tower, models.TowerState]) -> None: ...

    def plain(model: Any) -> None: ...

    works = (lambda: ours(tower), lambda: nnx.split(tower), lambda: plain(tower))
    a, b, c = measure(effort, *works)
    yield Row("Annotated[Module, S]", count(state_of(tower)), 0.05, a, "nnx.split", b, c)


def calls(effort: Effort) -> Iterator[Row]:
    """What a decorator adds to a small call."""
    state = state_of(nnx.Linear(4, 7, rngs=nnx.Rngs(0)))
    x = jnp.ones((2, 4))
    result = jnp.ones(2)

    def undecorated(state: Any, x: Any) -> Any:
        return result

    @checked
    def ours(state: models.LinearState, x: Float[Array, "b d"]) -> Float[Array, "b"]:
        return result

    @jaxtyped(typechecker=beartype)
    def theirs(state: Any, x: Float[Array, "b d"]) -> Float[Array, "b"]:
        return result

    works = (lambda: ours(state, x), lambda: theirs(state, x), lambda: undecorated(state, x))
    a, b, c = measure(effort, *works)
    yield Row("@checked f(state, x) -> array", 2, 0.6, a, "jaxtyped(beartype)", b, c)

    def bare(state: Any) -> None: ...

    @checked
    def one(state: models.LinearState) -> None: ...

    @beartype
    def plain(state: nnx.State[Any, Any]) -> None: ...

    works = (lambda: one(state), lambda: plain(state), lambda: bare(state))
    a, b, c = measure(effort, *works)
    yield Row("@checked f(state)", 2, 1.0, a, "beartype, nnx.State", b, c)
    yield _new_batches(state, effort)


def _new_batches(state: Any, effort: Effort) -> Row:
    """Calls each of which has a batch size that was not seen before."""
    sizes = range(1, 3 + 5 * effort.repeats)
    xs, results = ([np.zeros((n, k), np.float32) for n in sizes] for k in (4, 7))

    def undecorated(state: Any, x: Any) -> Any:
        return results[len(x) - 1]

    @checked
    def ours(
        state: models.LinearState, x: Float[np.ndarray, "batch din"]
    ) -> Float[np.ndarray, "batch dout"]:
        return results[len(x) - 1]

    @jaxtyped(typechecker=beartype)
    def theirs(state: Any, x: Float[np.ndarray, "batch din"]) -> Float[np.ndarray, "batch dout"]:
        return results[len(x) - 1]

    works = (ours, theirs, undecorated)
    times: list[list[float]] = [[once(partial(work, state, x)) for work in works] for x in xs]
    a, b, c = (_least(list(each)) for each in zip(*times[WARM:], strict=True))
    return Row("@checked f(state, x) -> array, new batch", 2, None, a, "jaxtyped(beartype)", b, c)


def step(size: int, effort: Effort) -> Iterator[Row]:
    """A jitted step whose body calls checked functions: nothing is left of them."""
    model = models.Tower(size)
    graphdef, state = nnx.split(model)
    x = jnp.ones((8, 4))

    def run(state: Any, x: Any) -> Any:
        for block in nnx.merge(graphdef, state).blocks:
            x = block.down(jax.nn.relu(block.up(x)))
        return x

    hint = checked(_annotated(run))
    ours, base = jax.jit(lambda s, x: hint(s, x)), jax.jit(lambda s, x: run(s, x))
    assert str(jax.make_jaxpr(ours)(state, x)) == str(jax.make_jaxpr(base)(state, x))
    a, b = measure(
        replace(effort, clock=time.perf_counter),  # JAX computes in threads of its own
        lambda: ours(state, x).block_until_ready(),
        lambda: base(state, x).block_until_ready(),
    )
    yield Row("jitted step, checks inside", count(state), 1.1, a, "without checks", b)


def _annotated(run: Callable[..., Any]) -> Callable[..., Any]:
    def body(state: models.TowerState, x: Float[Array, "b d"]) -> Float[Array, "b d"]:
        return run(state, x)

    return body


def failing(size: int, effort: Effort) -> Iterator[Row]:
    """A refused state: the whole report against the walk that finds nothing, and the peers."""
    state = state_of(models.Tower(size))
    broken = state_of(models.Tower(size))
    blocks = broken["blocks"]
    blocks[1]["up"]["kernel"] = nnx.Param(jnp.ones((4, 9)))
    blocks[2]["up"]["kernal"] = dict(blocks[2]["up"]).pop("kernel")
    del blocks[2]["up"]["kernel"]
    broken["head"]["kernel"] = nnx.BatchStat(jnp.ones((4, 3)))
    assert len(explain(broken, models.TowerState).violations) == 4

    def ours() -> str:
        try:
            check(broken, models.TowerState)
        except TypeError as error:
            return str(error)
        raise AssertionError("accepted")

    n = count(state)

    def walk() -> str:
        return str(explain(state, models.TowerState))

    a, walked, leaves = measure(effort, ours, walk, lambda: jax.tree.leaves(state))
    yield Row("walk of a right state, with its report", n, 4.0, walked, "jax.tree.leaves", leaves)
    yield Row("failing check, full report", n, 4.0, a, "jax.tree.leaves", leaves)

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
        lambda: str(explain(wrong, models.TowerState)),
        lambda: explain(state, models.TowerState),
    )
    yield Row("failing check, every leaf wrong", n, 4.0, a, "walk of a right state", b)


def _schemas(amount: int) -> tuple[type, Any]:
    """So many classes in chains of ten, each with one leaf, and a state that fits."""
    chains: dict[str, Any] = {}
    states: dict[str, Any] = {}
    value = jnp.ones((2, 2))
    for index in range(amount - 1):
        hints: dict[str, Any] = {"kernel": nnx.Param[Float[Array, "a b"]]}
        state: dict[str, Any] = {"kernel": nnx.Param(value)}
        chain = f"chain{index // 10}"
        if chain in chains:
            hints["inner"], state["inner"] = chains[chain], states[chain]
        chains[chain], states[chain] = _schema(f"S{index}", hints), state
    return _schema("Root", chains), nnx.State(states)


def _schema(name: str, hints: dict[str, Any]) -> Any:
    return type(TypedState)(name, (TypedState,), {"__annotations__": hints})


def _fields(amount: int) -> tuple[type, Any]:
    hints = {f"p{index}": nnx.Param[Float[Array, "a b"]] for index in range(amount)}
    value = jnp.ones((2, 2))
    return _schema("Wide", hints), nnx.State({name: nnx.Param(value) for name in hints})


class Wide(nnx.Module):
    """So many parameters, drawn as those of a model are."""

    def __init__(self, amount: int) -> None:
        rngs = nnx.Rngs(0)
        for index in range(amount):
            setattr(self, f"p{index}", nnx.Param(jax.random.normal(rngs.params(), (2, 2))))


class Link(nnx.Module):
    """A layer with another one below it."""

    def __init__(self, depth: int, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (2, 2)))
        self.inner = Link(depth - 1, rngs) if depth > 1 else None


class Chains(nnx.Module):
    """So many layers in chains of ten."""

    def __init__(self, amount: int) -> None:
        rngs = nnx.Rngs(0)
        for index in range(amount // 10):
            setattr(self, f"chain{index}", Link(10, rngs))


def first_check(effort: Effort, classes: int, fields: int) -> Iterator[Row]:
    """The first check of a schema, and the second one, against ``nnx.eval_shape`` of a model."""
    for text, make, model, amount in (
        (f"first check of {classes} classes", _schemas, Chains, classes),
        (f"first check of {fields} fields", _fields, Wide, fields),
    ):
        half, _ = _first_two(make, amount // 2)
        first, second = (Time(found, found) for found in _first_two(make, amount))
        base = once(lambda model=model, amount=amount: nnx.eval_shape(lambda: model(amount)))
        b = Time(base, base)
        yield Row(text, amount, 0.05, first, "nnx.eval_shape", b, others={"half as many": half})
        yield Row(f"{text}: the second", amount, None, second, "nnx.eval_shape", b)


def _first_two(make: Callable[[int], tuple[type, Any]], amount: int) -> tuple[float, float]:
    cls, state = make(amount)

    def work() -> None:
        assert fits(state, cls)

    return once(work), once(work)


def imports(effort: Effort) -> Iterator[Row]:
    """``import typedstate`` with what a program takes from it, after Flax and jaxtyping."""
    code = (
        "from time import process_time as now; a = now(); import flax.nnx, jaxtyping;"
        "b = now(); import typedstate; c = now();"
        "from typedstate import TypedState, Bind, checked; d = now();"
        "print(b - a, c - b, d - b)"
    )
    with tempfile.TemporaryDirectory() as cache:  # byte code, as an installed package has
        compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
        runs = [_python(code, **compiled) for _ in range(min(2 + effort.repeats // 3, 6))][1:]
    flax, alone, used = (_least([float(run.split()[i]) for run in runs]) for i in range(3))
    yield Row("import typedstate", 0, 0.002, alone, "import flax.nnx", flax)
    yield Row("from typedstate import names", 0, 0.05, used, "import flax.nnx", flax)


def off(effort: Effort) -> Iterator[Row]:
    """Switched off, a decorator returns its function."""
    code = (
        "from typedstate import checked\n"
        "def f(x: int) -> int: return x\n"
        "print(int(checked(f) is f))"
    )
    same = _python(code, TYPEDSTATE="off").strip() == "1"
    other = Time(0.0 if same else 1.0, 0.0)
    yield Row("off: checked(f) is f", 0, 0.0, other, "f itself", Time(1.0, 1.0), unit="")


def memory(sizes: tuple[int, int]) -> Iterator[Row]:
    """The most that a passing check holds at a time, for few and for many leaves."""

    @checked
    def run(model: Annotated[models.Tower, models.TowerState]) -> None: ...

    towers = [models.Tower(size) for size in sizes]
    states = [state_of(tower) for tower in towers]
    for work, works in (
        ("check", [partial(fits, state, models.TowerState) for state in states]),
        ("check of a module", [partial(run, tower) for tower in towers]),
    ):
        base, ours = (Time(float(n), float(n)) for n in map(peak_bytes, works))
        text, few = f"memory of a passing {work}", f"{sizes[0]} leaves"
        yield Row(text, sizes[1], 1.5, ours, few, base, unit="B")


def _least(values: list[float]) -> Time:
    return Time(min(values), sorted(values)[len(values) // 2])


def _python(code: str, **environment: str) -> str:
    path = os.pathsep.join(item for item in sys.path if item)
    env = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", **environment}
    run = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return run.stdout
