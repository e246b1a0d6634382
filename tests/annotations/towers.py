"""Schemas and trees of like blocks, and generic schemas that use one twice."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from typedstate import (
    Bind,
    Only,
    StateMap,
    StateOf,
    TypedState,
    explain,
)
from typedstate.layers import (
    LinearState,
)

S = TypeVar("S")
T = TypeVar("T")


class BlockState(TypedState):
    up: Bind[LinearState, "din=d dout=d"]
    seen: nnx.BatchStat | None
    lora: nnx.LoRAParam[Float[Array, "d"]] | None


class NetState(TypedState):
    blocks: StateMap[int, BlockState]


class Patterned(TypedState, extra={"layers_{}": BlockState}):
    head: nnx.Param


class Open(TypedState):
    free: StateOf[nnx.Param[Float[Array, "?n"]]]


class Named(TypedState):
    blocks: Bind[StateMap[str, BlockState], "len=n"]


class Two(TypedState, Generic[S]):
    a: S
    b: S


class Held(TypedState, Generic[S]):
    mu: S


class Both(TypedState, Generic[S, T]):
    model: S
    moments: T


Params = Only[NetState, nnx.Param]


def leaf(kind: Any = nnx.Param, *shape: int) -> Any:
    return zoo.leaf(kind, jnp.ones(shape))


def block(d: int = 2, *, lora: bool = False, stat: bool = False) -> dict[str, Any]:
    tree: dict[str, Any] = {"up": {"kernel": leaf(nnx.Param, d, d)}}
    tree |= {"lora": leaf(nnx.LoRAParam, d)} if lora else {}
    return tree | ({"seen": leaf(nnx.BatchStat)} if stat else {})


def net(count: int = 2, **options: bool) -> dict[str, Any]:
    return {"blocks": {index: block(**options) for index in range(count)}}


def two(a: Any, b: Any) -> dict[str, Any]:
    return {"a": a, "b": b}


def said(value: Any, hint: Any) -> list[str]:
    return [str(item) for item in explain(value, hint).violations]
