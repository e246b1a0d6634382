"""A package as a user writes it, imported by another process."""

from __future__ import annotations

import os
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
SCHEMAS = """
from flax import nnx
from jaxtyping import Array, Float
from typedstate import TypedState

class S(TypedState):
    kernel: nnx.Param[Float[Array, "n"]]
"""
MODULE = '''
"""Docstring."""
from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .schemas import S

def function(s: S, x: Float[Array, "n"]) -> S:
    return s

def nested(s):
    def inner(s: S) -> int:
        return 1
    return inner(s)

def unannotated(s):
    return s

class Loop:
    def method(self, s: S) -> None: ...
    @classmethod
    def of(cls, s: S) -> Loop:
        return cls()
    @staticmethod
    def static(s: S) -> None: ...
    @property
    def wrong(self) -> S:
        return 3
    class Inner:
        def method(self, s: S) -> None: ...

@dataclasses.dataclass(frozen=True)
class Data:
    s: S
    n: int = 3

async def wait(s: S) -> S:
    return s

def items(s: S) -> Iterator[S]:
    yield s

async def more(s: S) -> AsyncIterator[S]:
    yield s

@jax.jit
def jitted(s: S) -> Float[Array, ""]:
    return jnp.zeros(())

def fails() -> S:
    raise ZeroDivisionError  # line 60
'''
SUB = """
from ..schemas import S
def deep(s: S) -> None: ...
"""
USE = """
import asyncio, jax.numpy as jnp
from flax import nnx
from pkg import code
from pkg.sub import deep
from pkg.schemas import S

good = nnx.State({"kernel": nnx.Param(jnp.ones(2))})
async def drain(s): return [x async for x in code.more(s)]
CALLS = {
    "function": lambda s: code.function(s, jnp.ones(2)),
    "nested": code.nested,
    "method": lambda s: code.Loop().method(s),
    "classmethod": code.Loop.of,
    "staticmethod": code.Loop.static,
    "inner class": lambda s: code.Loop.Inner().method(s),
    "dataclass": code.Data,
    "async": lambda s: asyncio.run(code.wait(s)),
    "generator": lambda s: list(code.items(s)),
    "async generator": lambda s: asyncio.run(drain(s)),
    "submodule": deep.deep,
}
def refused(call, *args):
    try:
        call(*args)
    except Exception as error:
        return type(error).__name__
    return "accepted"
def verdicts():
    found = {name: (refused(call, good), refused(call, 3)) for name, call in CALLS.items()}
    sizes = [refused(code.function, good, jnp.ones(n)) for n in (2, 3)]
    found["names"] = tuple(sizes)
    found["property"] = "accepted", refused(lambda: code.Loop().wrong)
    return found
def show():
    for name, (fine, wrong) in verdicts().items():
        print(f"{name}: {fine}, {wrong}")
"""


def environment(folder: Path, mode: str = "on") -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(folder), str(SOURCE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "TYPEDSTATE": mode, "JAX_PLATFORMS": "cpu"}
