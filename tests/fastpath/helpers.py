"""Learning by hand what a fast path knows, and both verdicts of a value."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import LinearState, named, state
from typedstate import Bind, StateMap, TypedState
from typedstate._annotations.spec_of import spec_of
from typedstate._compat import variables
from typedstate._fastpath.judge import Known
from typedstate._validation.walk import Walk


class GuardedState(TypedState):
    named: Annotated[nnx.Param[Float[Array, "d e"]], P("embed", None)] | None
    small: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda x: x.shape[0] < 5]]
    either: Annotated[nnx.Param[Float[Array, "n"]], Is[lambda x: x.missing]] | nnx.Param
    table: StateMap[str, nnx.Param[Float[Array, "?n"]]]
    layers: StateMap[int, Bind[LinearState, "din=d dout=e"]]


def guarded() -> Any:
    return state(
        {
            "named": named(nnx.Param, np_ones(2, 3), "embed", None),
            "small": nnx.Param(np_ones(4)),
            "either": nnx.Param(np_ones(4)),
            "table": {"x": nnx.Param(np_ones(1)), "y": nnx.Param(np_ones(2))},
            "layers": {
                i: {"kernel": nnx.Param(np_ones(2, 3)), "bias": nnx.Param(np_ones(3))}
                for i in range(4)
            },
        }
    )


def np_ones(*shape: int) -> jax.Array:
    return jnp.asarray(np.ones(shape, np.float32))


def verdicts(known: Known, hint: Any, value: Any) -> tuple[bool, bool]:
    """Whether the fast path recognises a value, and whether the walk accepts it."""
    walk = Walk()
    walk.visit(value, spec_of(hint))
    return known.accepts(value) is not None, bool(walk.report(""))


def learn(known: Known, hint: Any, value: Any) -> bool:
    """Lets the walk decide, and the fast path learn from what it accepts."""
    walk = Walk()
    walk.visit(value, spec_of(hint))
    report = walk.report("")
    if report:
        known.learn(value, walk, report)
    return bool(report)


def learned(hint: Any, value: Any) -> Known:
    known = Known()
    assert learn(known, hint, value)
    assert known.accepts(value) is not None
    return known


def raw(item: Any) -> Any:
    """What a leaf holds."""
    return variables.raw_value(item) if variables.is_variable(item) else item
