"""Types of `flax.nnx.transforms.transforms`: shapes without values, and branches."""

from collections.abc import Callable, Sequence
from typing import Any, overload

import jax
from flax.nnx.module import Module
from flax.typing import Missing
from jax.experimental import checkify as checkify_lib
from typing_extensions import TypeVar, TypeVarTuple

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
G = TypeVar("G", bound=Callable[..., Any])
M = TypeVar("M", bound=Module)
MA = TypeVar("MA", bound=Module)
N = TypeVar("N", bound=Module)

_Ts = TypeVarTuple("_Ts")

@overload
def resolve_kwargs(fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]: ...
@overload
def resolve_kwargs(fun: Missing = ..., args: Missing = ..., kwargs: Missing = ...) -> Callable[[F], F]: ...

#
def eval_shape(
    f: Callable[..., A],
    *args: Any,
    graph: bool | None = None,
    graph_updates: bool | None = None,
    **kwargs: Any,
) -> A: ...
def checkify(
    f: Callable[..., A],
    errors: frozenset[type[Any]] = ...,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> Callable[..., tuple[checkify_lib.Error, A]]: ...

#
@overload
def make_jaxpr(
    f: Callable[..., Any],
    *,
    graph: bool | None = None,
    graph_updates: bool | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Callable[..., Any]: ...
@overload
def make_jaxpr(
    f: Missing = ...,
    *,
    graph: bool | None = None,
    graph_updates: bool | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Callable[[F], Callable[..., Any]]: ...

#
@overload
def cond(
    pred: bool | jax.typing.ArrayLike,
    true_fun: Callable[[*_Ts], A],
    false_fun: Callable[[*_Ts], A],
    *operands: *_Ts,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> A: ...
@overload
def cond(
    pred: bool | jax.typing.ArrayLike,
    true_fun: Callable[..., A],
    false_fun: Callable[..., A],
    *operands: Any,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> A: ...

#
@overload
def switch(
    index: int | jax.typing.ArrayLike,
    branches: Sequence[Callable[[*_Ts], A]],
    *operands: *_Ts,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> A: ...
@overload
def switch(
    index: int | jax.typing.ArrayLike,
    branches: Sequence[Callable[..., A]],
    *operands: Any,
    graph: bool | None = None,
    graph_updates: bool | None = None,
) -> A: ...

# What a later Flax has here, and what it keeps to itself.
def __getattr__(name: str) -> Any: ...
