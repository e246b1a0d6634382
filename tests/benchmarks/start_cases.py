"""What is paid once: the first check of a schema, imports, a decorator that is switched off."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from typedstate import (
    TypedState,
    fits,
)

from .measure import Effort, Time, once
from .row import Row, least


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
    """The first check of a schema, and the second one, against ``nnx.eval_shape`` of a model.

    Of a module with ten times as many attributes Flax's takes a hundred times as long.
    """
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
    flax, alone, used = (least([float(run.split()[i]) for run in runs]) for i in range(3))
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


def _python(code: str, **environment: str) -> str:
    path = os.pathsep.join(item for item in sys.path if item)
    env = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", **environment}
    run = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return run.stdout
