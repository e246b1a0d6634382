"""Arrays that were donated or deleted: they have a shape and no values, and are named."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float, Key

from tests.zoo import LinearState, Mlp, MlpState, leaf, state
from typedstate import Only, StateOf, StateTypeError, checked, explain, fits

DELETED = "expected an array with values, found a deleted array"
DONATED = f"{DELETED} (was it donated to a jitted function?)"


def test_deleted_and_donated_arrays_are_named_and_still_have_their_shape() -> None:
    kernel = jnp.ones((2, 3))
    found = state({"kernel": leaf(nnx.Param, kernel)})
    for _ in range(3):  # by generated code too
        assert fits(found, LinearState)
    kernel.delete()
    assert not fits(found, LinearState)
    assert not isinstance(found, LinearState)
    step = jax.jit(lambda tree: jax.tree.map(lambda x: x + 1, tree), donate_argnums=0)
    old = state({"kernel": leaf(nnx.Param, jnp.ones((2, 3)))})
    new = step(old)
    assert fits(new, LinearState)
    assert str(explain(old, LinearState)).splitlines() == [
        "does not fit LinearState: 1 violation",
        f"  kernel: {DONATED} [array]",
        "  dims: din=2 dout=3",
    ]
    assert "float32[2,3]" in str(explain(old, StateOf[nnx.Cache]))


def test_deleted_arrays_of_any_hint_and_class_are_named() -> None:
    key, pair = jax.random.key(0), (jnp.ones(2), jnp.ones(3))
    for array in (key, pair[1]):
        array.delete()
    gone: list[tuple[Any, Any, str]] = [
        ({"key": leaf(nnx.RngKey, key)}, StateOf[Annotated[nnx.RngKey, Key[Array, ""]]], "key"),
        ({"key": leaf(nnx.RngKey, key)}, StateOf[nnx.RngKey], "key"),
        (
            {"both": leaf(nnx.Param, pair)},
            StateOf[nnx.Param[tuple[Float[Array, "a"], Float[Array, "b"]]]],
            "both[1]",
        ),
        (pair[1], Float[Array, "b"], ""),
        ((*pair, 1), tuple[Float[Array, "a"], Float[Array, "b"], int], "[1]"),
    ]
    for value, hint, path in gone:
        found = explain(state(value) if isinstance(value, dict) else value, hint)
        assert [(one.path, one.message) for one in found.violations] == [(path, DONATED)]
    assert explain({"anything": pair[1]}, StateOf[Any])  # of which nothing is said


def test_a_donated_state_has_one_cause() -> None:
    @checked
    def step(params: Only[MlpState, nnx.Param]) -> None: ...

    params = nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0)), nnx.Param)
    for _ in range(3):
        step(params)
    jax.jit(lambda tree: jax.tree.map(lambda x: x + 1, tree), donate_argnums=0)(params)
    with pytest.raises(StateTypeError) as error:
        step(params)
    assert str(error.value).splitlines()[:3] == [
        f"the arguments of {step.__qualname__}() do not fit: 4 violations",
        "  cause: the arrays are deleted, as those are that a jitted function takes with "
        "donate_argnums: go on with what it returned (4 leaves)",
        f"  params.up.kernel: {DONATED} [array]",
    ]
