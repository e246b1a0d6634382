"""Values, keys and hints that mean no good."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState, MlpState, OptimizerState, StackState
from typedstate import (
    Abstract,
    Bind,
    Entries,
    Like,
    Only,
    Plus,
    Pure,
    Same,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    StateOf,
    Values,
)

one = jnp.ones(2)


class Raising:
    """What a check may ask of a value raises."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("items", "keys"):
            raise RuntimeError("no")
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = object.__hash__


class RaisingShape:
    @property
    def shape(self) -> Any:
        raise RuntimeError("no")

    @property
    def dtype(self) -> Any:
        raise RuntimeError("no")


class Unreadable(Mapping[Any, Any]):
    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return 3


class Shapeless:
    shape = None
    dtype = "float32"


class ShapeMethod:
    dtype = np.dtype("float32")

    def shape(self) -> tuple[int, ...]:
        return (2,)


class OddKey:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Level(IntEnum):
    FIRST = 0
    SECOND = 1


def deep(levels: int, leaf_: Any) -> Any:
    tree = leaf_
    for _ in range(levels):
        tree = {"a": tree}
    return tree


VALUES: dict[str, Any] = {
    "None": None,
    "an int": 3,
    "a float": float("nan"),
    "text": "kernel",
    "bytes": b"kernel",
    "a list": [one],
    "a tuple": (one,),
    "a set": {1, 2},
    "a class": nnx.Param,
    "a function": jnp.ones,
    "an array": one,
    "a numpy array": np.ones(2),
    "a numpy scalar": np.float32(1),
    "an array of objects": np.array([object()], dtype=object),
    "a structured array": np.zeros(2, dtype=[("a", "f4")]),
    "a Variable": nnx.Param(one),
    "a Variable of None": nnx.Param(None),
    "a Variable of anything": nnx.Param(Raising()),
    "a module": nnx.Linear(1, 1, rngs=nnx.Rngs(0)),
    "an empty dict": {},
    "an empty State": nnx.State({}),
    "a flat state": nnx.to_flat_state(nnx.state(nnx.Linear(1, 1, rngs=nnx.Rngs(0)))),
    "an ordered dict": OrderedDict(kernel=nnx.Param(one)),
    "an object that raises": Raising(),
    "a mapping that raises": Unreadable(),
    "a value of no shape": Shapeless(),
    "a value with a method for a shape": ShapeMethod(),
    "a generator": (x for x in ()),
    "a ShapeDtypeStruct": jax.ShapeDtypeStruct((2,), "float32"),
    "an Ellipsis": ...,
}


KEYS: dict[str, Any] = {
    "quotes": 'it\'s "so"',
    "a newline": "a\nb",
    "a carriage return": "a\rb",
    "an escape": "\x1b[31mred",
    "braces": "{x}",
    "a percent sign": "%s",
    "nothing": "",
    "a space": " ",
    "dots": "a.b.c",
    "a bracket": "a[0]",
    "unicode": "Größe",
    "combining": "e\u0301",
    "an emoji": "\U0001f600",
    "a surrogate": "\ud800",
    "right to left": "\u202eabc",
    "a zero byte": "\x00",
    "a dunder": "__class__",
    "a State's method": "raw_mapping",
    "a keyword": "class",
    "very long": "k" * 5000,
    "many digits": "9" * 5000,
    "other digits": "\u0663",
    "a tuple": ("kernel", "sigma"),
    "an empty tuple": (),
    "bytes": b"kernel",
    "None": None,
    "True": True,
    "a float": 1.5,
    "nan": float("nan"),
    "an enum": Level.SECOND,
    "a numpy int": np.int32(1),
    "a negative int": -1,
    "a huge int": 10**18,
    "a frozenset": frozenset({1}),
    "a class": int,
    "an odd object": OddKey(),
}


HINTS: dict[str, Any] = {
    "schema": MlpState,
    "stack": StackState,
    "optimizer": OptimizerState,
    "map": StateMap[int, LinearState],
    "counted map": Bind[StateMap[int, LinearState], "len=n"],
    "names": StateMap[str, nnx.Param],
    "entries": Entries[nnx.Param, None, LinearState],
    "tree": StateOf[nnx.Param[Float[Array, "n"]]],
    "only": Only[MlpState, nnx.Param],
    "callable": Only[StackState, lambda path, value: len(path) > 2],
    "plus": Plus[MlpState, nnx.Cache],
    "stacked": Stacked[MlpState, "n"],
    "pure": Pure[MlpState],
    "values": Values[MlpState],
    "abstract": Abstract[MlpState],
    "specs": Specs[MlpState],
    "shardings": Shardings[MlpState],
    "like": Like[MlpState, nnx.OptState],
    "same": Same[StateOf[nnx.Variable], "T"],
    "module": Annotated[nnx.Linear, LinearState],
    "union": MlpState | nnx.Param | None,
    "array": Float[Array, "n"],
    "any array": Float[Any, "n"],
    "list": list[MlpState],
    "dict": dict[str, MlpState],
    "tuple": tuple[MlpState, Float[Array, "n"]],
}
