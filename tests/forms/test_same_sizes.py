"""`Same` over trees whose sizes contradict each other, alone or with the other arguments."""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx
from jaxtyping import Array, Float

from typedstate import (
    Abstract,
    Bind,
    Same,
    SchemaError,
    Scoped,
    Shardings,
    Specs,
    StateMap,
    TypedState,
    checked,
)


class Plain(TypedState):
    w: nnx.Param[Float[Array, "d e"]]


class Square(TypedState):
    w: nnx.Param[Float[Array, "d d"]]


class Longer(TypedState):
    w: nnx.Param[Float[Array, "d d+1"]]


class Even(TypedState):
    w: nnx.Param[Float[Array, "2*d e"]]


class Pair(TypedState):
    one: Bind[Plain, "d=n e=m"]
    other: Plain


class Fixed(TypedState):
    one: Bind[Square, "d=n"]
    other: Plain


K = Bind[Plain, "d=k"]
Two, Three = Bind[Plain, "d=2"], Bind[Plain, "d=3"]
ONLY_KEYS = '; a third argument "keys" compares keys alone'


def declared(*hints: Any) -> None:
    names = "abcd"[: len(hints)]
    annotations = dict(zip(names, hints, strict=True))

    def step(a: Any = None, b: Any = None, c: Any = None, d: Any = None) -> None: ...

    step.__annotations__ = annotations
    checked(step)


@pytest.mark.parametrize(
    ("hints", "reason"),
    [
        ((Same[Two, "T"], Same[Three, "T"]), "w is of size 2 and of size 3 on axis 0"),
        ((Same[Longer, "T"], Same[Square, "T"]), "w is of size d+1 and of size d on axis 1"),
        ((Same[Scoped[Longer, "x"], "T"], Same[Square, "T"]), "w is of size d+1 and of size d"),
        ((Same[Even, "T"], Same[Three, "T"]), "w is of size 2*d and of size 3 on axis 0"),
        (
            (Same[Bind[Pair, "n=2 m=3"], "T"], Same[Fixed, "T"]),
            "one.w is of size 3 and of size n on axis 1",
        ),
        ((Same[Two, "T", "shapes"], Same[Three, "T"]), "w is of size 2 and of size 3"),
        ((Same[Two, "T"], Same[Abstract[Three], "T"]), "w is of size 2 and of size 3"),
        (
            (Same[K, "T"], Same[Two, "T"], Same[Bind[Plain, "d=k+1"], "T"]),
            "w is of size k and of size k+1 on axis 0",
        ),
        (
            (Same[K, "T"], Same[Two, "T"], tuple[Same[K, "U"], Same[Three, "U"]]),
            "w is of size k and of size 3 on axis 0",
        ),
        (
            (Same[Plain, "T"], Same[Shardings[Plain], "T"]),
            'w is Float[Array, "d e"] and NamedSharding',
        ),
        (
            (Same[Plain, "T", "shapes"], Same[Specs[Plain], "T", "shapes"]),
            'w is Float[Array, "d e"] and PartitionSpec',
        ),
    ],
)
def test_sizes_that_no_call_can_have(hints: Any, reason: str) -> None:
    with pytest.raises(SchemaError) as error:
        declared(*hints)
    assert f": {reason}" in str(error.value)
    assert str(error.value).endswith(ONLY_KEYS)


@pytest.mark.parametrize(
    "hints",
    [
        (Same[Two, "T"], Same[Plain, "T"]),
        (Same[Two, "T"], Same[Three, "U"]),
        (Same[Two, "T", "keys"], Same[Three, "T"]),
        (Same[Pair, "T"], Same[Fixed, "T"]),
        (Same[Even, "T"], Same[Bind[Plain, "d=4"], "T"]),
        (Same[Plain, "T", "keys"], Same[Shardings[Three], "T", "keys"]),
        (Same[Two, "T"], Same[Three, "T"] | None),
        (Same[StateMap[int, Two], "T"], Same[StateMap[int, Three], "T"]),
        (Same[Shardings[Plain], "T"], Same[Shardings[Plain], "T"]),
    ],
)
def test_sizes_that_some_call_can_have(hints: Any) -> None:
    declared(*hints)
