"""A model with its schema, and the mesh on which its trees are placed."""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx

from tests.zoo import LinearState
from tests.zoo.tower import Tower
from typedstate import Bind, SchemaError, Sharded, StateMap, TypedState
from typedstate._compat import variables


class BlockState(TypedState):
    up: Bind[LinearState, "din=d dout=4*d"]
    down: Bind[LinearState, "din=4*d dout=d"]


class ModelState(TypedState):
    blocks: Bind[StateMap[int, Bind[BlockState, "d"]], "len=layers"]
    head: Bind[LinearState, "din=d dout=vocab"]


Named = Sharded[ModelState, "d=fsdp 4*d=tensor vocab=tensor"]
GIVEN: dict[str, Any] = {"d": 8, "layers": 2, "vocab": 12}
BIASED: dict[str, Any] = {"choices": {"*.bias": True}}


def model(rngs: nnx.Rngs) -> Tower:
    return Tower(8, 32, 2, 12, rngs)


def raw(tree: Any) -> Any:
    """What a leaf holds."""
    return variables.raw_value(tree) if variables.is_variable(tree) else tree


def refusal(call: Any, *args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(SchemaError) as error:
        call(*args, **kwargs)
    return str(error.value).splitlines()
