# A comment before the docstring.
"""A module that is hard to write a stub of.

It has all that a module may have beside its schemas.
"""
# ruff: noqa: I001, E401, F401, UP006, UP007, UP035, UP045, UP046, RUF022, RUF100, SIM108

from __future__ import annotations

import dataclasses, os
import collections.abc
from collections.abc import AsyncIterator, Iterator  # noqa: I001
from typing import (
    Annotated,
    ClassVar,
    Generic,
    Optional,
    TypeVar,
    Union,
    overload,
)

import jax
from flax import nnx
from jaxtyping import Array, Float

from typedstate import Alias, Bind, Only, Pure, Shared, StateMap, TypedState

try:
    from tomllib import loads
except ImportError:
    loads = None  # type: ignore[assignment]

if os.name == "nt":
    SEP = "\\"
else:
    SEP = "/"

A = TypeVar("A")
SIZES = {"a": 1, "b": 2}
TOTAL = sum(SIZES.values()) + 1
Alone = nnx.Param[Float[Array, "n"]]
__all__ = ["SIZES", "TOTAL", "Alone", "Child", "Odd"]
__all__ += ["f"]


class Odd(TypedState):
    """Keys that are no names."""

    dashed: Annotated[Alone, Alias("a-b")]
    quoted: Annotated[Alone, Alias('it\'s "quoted"\n')]
    number: Annotated[nnx.BatchStat[jax.Array], Alias(0)]
    pair: Annotated[Alone, Alias(("kernel", 3))]
    values_: Annotated[nnx.Param[Float[Array, "d"]], Alias("values")] | None
    opt: Optional[Alone]
    uni: Union[nnx.Param[jax.Array], nnx.BatchStat[jax.Array], None]
    later: "Later | None"
    tied: Annotated[Alone, Shared("later.w")]
    count: ClassVar[int]


class Later(TypedState):
    w: Alone
    more: StateMap[int, Bind[Odd, "n=n"]]  # a comment


class Generic1(TypedState, Generic[A]):
    inner: A
    only: Only[Later, nnx.Param]


class Child(Generic1[Later]):
    own: Alone


class Open(TypedState, extra="allow"):
    own: Alone
    two: Alone


class Only1(TypedState):
    one: Alone


class Outer:
    class Inner(TypedState):
        a: Alone
        b: Later

    def method(self) -> Outer.Inner:
        return Outer.Inner({})


@dataclasses.dataclass
class Config:
    width: int = 3
    names: list[str] = dataclasses.field(default_factory=list)

    @property
    def twice(self) -> int:
        return 2 * self.width


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__()
        self.head = nnx.Linear(2, 3, rngs=rngs)
        self.sizes = dict(SIZES)

    def __call__(
        self,
        x: jax.Array,
    ) -> jax.Array:
        """Doc."""
        # comment
        return self.head(x)


@overload
def f(x: int) -> int: ...
@overload
def f(x: str) -> str: ...
def f(x: int | str) -> int | str:
    return x


def gen() -> Iterator[int]:
    yield 1


async def agen() -> AsyncIterator[int]:
    yield 1


async def coro() -> int:
    return 1


if __name__ == "__main__":
    print(f(3))
