"""`Cast`: another dtype for the arrays that it concerns."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, BFloat16, Complex64, Float, Int, Int8, Key, Num, Shaped, UInt32

from tests.zoo import LinearState, NormState, state
from typedstate import (
    Abstract,
    Bind,
    Cast,
    SchemaDocument,
    Stacked,
    StateMap,
    TypedState,
    abstract,
    explain,
    fits,
)


class StreamState(TypedState):
    key: nnx.RngKey
    count: nnx.RngCount


class MixedState(TypedState):
    kernel: nnx.Param[Float[Array, "n"]]
    any: nnx.Param[Shaped[Array, "n"]]
    number: nnx.Param[Num[Array, "n"]]
    steps: nnx.BatchStat[Int[Array, ""]]
    noise: nnx.Cache[Key[Array, ""]]
    seen: nnx.Cache[UInt32[Array, ""]]


def mixed(**dtypes: Any) -> Any:
    return state(
        {
            "kernel": nnx.Param(jnp.ones(2, dtypes.get("kernel", "bfloat16"))),
            "any": nnx.Param(jnp.ones(2, dtypes.get("any", "bfloat16"))),
            "number": nnx.Param(jnp.ones(2, dtypes.get("number", "bfloat16"))),
            "steps": nnx.BatchStat(jnp.asarray(1)),
            "noise": nnx.Cache(jax.random.key(0)),
            "seen": nnx.Cache(jnp.zeros((), "uint32")),
        }
    )


def test_a_float_dtype_concerns_floating_leaves() -> None:
    hint = Cast[MixedState, BFloat16]
    assert explain(mixed(), hint)
    assert explain(mixed(any="int8", number="int32"), hint)
    assert str(explain(mixed(kernel="float32", any="float32", number="float16"), hint)) == (
        "does not fit Cast[MixedState, BFloat16]: 3 violations\n"
        "  kernel: expected dtype BFloat16, found float32[2] [dtype]\n"
        "  any: expected dtype BFloat16, found float32[2] [dtype]\n"
        "  number: expected dtype BFloat16, found float16[2] [dtype]\n"
        "  dims: n=2"
    )
    assert not fits(mixed(number="bool"), hint)


def test_what_a_model_casts_with_a_tree_map_over_floats_fits() -> None:
    class Net(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.lin = nnx.Linear(2, 3, rngs=rngs)
            self.drop = nnx.Dropout(0.5, rngs=rngs)

    class NetState(TypedState):
        lin: LinearState
        drop: Any

    found = nnx.state(Net(nnx.Rngs(0)))

    def cast(leaf: Any) -> Any:
        return leaf.astype("bfloat16") if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    half = jax.tree.map(cast, found)
    assert fits(half, Cast[NetState, BFloat16])
    assert not fits(found, Cast[NetState, BFloat16])


def test_a_complex_dtype_concerns_floats_too_and_an_int_dtype_all_numbers() -> None:
    class OneState(TypedState):
        w: nnx.Param[Shaped[Array, "n"]]

    def one(dtype: str) -> Any:
        return state({"w": nnx.Param(jnp.ones(2, dtype))})

    assert fits(one("complex64"), Cast[OneState, Complex64])
    assert fits(one("int32"), Cast[OneState, Complex64])
    assert not fits(one("float32"), Cast[OneState, Complex64])
    assert fits(one("int8"), Cast[OneState, Int8])
    assert not fits(one("int32"), Cast[OneState, Int8])
    assert not fits(one("float32"), Cast[OneState, Int8])
    key = state({"w": nnx.Param(jax.random.split(jax.random.key(0), 2))})
    assert fits(key, Cast[OneState, Int8])


class NetState(TypedState):
    norm: Bind[NormState, "d"]
    lin: Bind[LinearState, "din=d dout=d"]


def net(norm: str, lin: str) -> Any:
    return state(
        {
            "norm": {
                "scale": nnx.Param(jnp.ones(2, norm)),
                "bias": nnx.Param(jnp.ones(2, norm)),
            },
            "lin": {"kernel": nnx.Param(jnp.ones((2, 2), lin))},
        }
    )


NORMS_KEPT = Cast[NetState, BFloat16, nnx.Not(nnx.PathContains("norm"))]


def test_filters_say_which_leaves() -> None:
    norm = repr(nnx.PathContains("norm"))  # one Flax says more of it than another
    assert NORMS_KEPT.__name__ == f"Cast[NetState, BFloat16, Not({norm})]"
    assert explain(net("float32", "bfloat16"), NORMS_KEPT)
    assert str(explain(net("float32", "float32"), NORMS_KEPT)).splitlines()[1] == (
        "  lin.kernel: expected dtype BFloat16, found float32[2,2] [dtype]"
    )
    assert fits(net("bfloat16", "bfloat16"), NORMS_KEPT)  # the schema's own Float
    by_kind = Cast[MixedState, BFloat16, nnx.BatchStat]
    assert fits(mixed(kernel="float32"), by_kind)


def test_the_real_leaf_decides_where_a_filter_can_not_be_decided() -> None:
    class AnyState(TypedState):
        w: nnx.Param[Float[Array, "n"]]

    hint = Cast[AnyState, BFloat16, nnx.LoRAParam]
    assert fits(state({"w": nnx.Param(jnp.ones(2))}), hint)
    assert fits(state({"w": nnx.LoRAParam(jnp.ones(2, "bfloat16"))}), hint)
    assert not fits(state({"w": nnx.LoRAParam(jnp.ones(2))}), hint)


def test_filtered_casts_compose_and_are_derived() -> None:
    found = abstract(NORMS_KEPT, dtype=jnp.float32, choices={"lin.bias": False}, d=2)
    assert jax.tree.leaves(found["norm"]["scale"])[0].dtype == jnp.float32
    assert jax.tree.leaves(found["lin"]["kernel"])[0].dtype == jnp.bfloat16
    assert fits(found, Abstract[NORMS_KEPT])
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), net("float32", "bfloat16"))
    assert fits(stacked, Stacked[NORMS_KEPT, "layers"])


@pytest.mark.parametrize(
    "hint",
    [NORMS_KEPT, Cast[NetState, BFloat16], Cast[StateMap[str, Shaped[Array, "n"]], BFloat16]],
)
def test_documents_keep_casts(hint: Any) -> None:
    again = SchemaDocument.of(hint).to_schema()
    flat = state({"a": jnp.ones(2, "bfloat16")})
    for tree in (flat, *(net(a, b) for a in ("float32", "bfloat16") for b in ("float32", "int8"))):
        assert fits(tree, again) is fits(tree, hint)
