"""What `infer` writes of a model, as text, and layers to make models of."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from flax import nnx

from typedstate import explain, infer, to_source


def said(model: Any, *more: Any, fix: bool = False) -> str:
    """The classes of an inferred schema, which fits all that it is inferred from."""
    schema = infer(model, *more, fix=fix)
    for item in (model, *more):
        assert explain(nnx.state(item), schema)
    return to_source(schema).partition("\n\n\n")[2]


def linear(din: int, dout: int, **options: Any) -> nnx.Linear:
    return nnx.Linear(din, dout, rngs=nnx.Rngs(0), **options)


def conv(din: int, dout: int, window: tuple[int, ...] = (3, 3), **options: Any) -> nnx.Conv:
    return nnx.Conv(din, dout, window, rngs=nnx.Rngs(0), **options)


def built(build: Callable[[Any], None]) -> Any:
    """A module of a class of that name, whose attributes a function sets."""
    name = build.__name__
    return type(name, (nnx.Module,), {"__init__": build, "__module__": __name__})()


def code(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")
