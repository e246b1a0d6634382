"""A stacked axis may stand within a run of axes: its sizes are not those of neighbours."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests import zoo
from typedstate import Axis, Stacked, TypedState, explain, fits


class PairState(TypedState):
    a: nnx.Param[Float[Array, "*b n"]]
    b: nnx.Param[Float[Array, "*b m"]]


HINT: Any = Stacked[PairState, "layers", Axis(1)]


def pair(*shapes: tuple[int, ...]) -> Any:
    return zoo.state({k: nnx.Param(jnp.ones(s)) for k, s in zip("ab", shapes, strict=True)})


@pytest.mark.parametrize("layers", [5, 6])
def test_the_sizes_of_a_run_around_it_are_compared_by_code_too(layers: int) -> None:
    for _ in range(2):
        assert fits(pair((2, 5, 3, 7), (2, 5, 3, 8)), HINT)
    right = pair((2, layers, 3, 7), (2, layers, 3, 8))
    assert fits(right, HINT)
    assert explain(right, HINT).dims == {"layers": layers, "b": (2, 3), "n": 7, "m": 8}
    wrong = pair((2, layers, 3, 7), (2, layers, 4, 8))
    assert not fits(wrong, HINT)
    assert str(explain(wrong, HINT)).splitlines()[1] == (
        "  b: *b is (2,4), but b=(2,3) from a, axis 0 [dim]"
    )
