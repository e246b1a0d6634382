"""A cause that explains many violations stands for them: three are shown, the rest counted."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, BFloat16, Float32

from tests.zoo import state
from typedstate import (
    Abstract,
    Cast,
    Stacked,
    StateMap,
    StateTypeError,
    TypedState,
    explain,
    fits,
    update,
)


class LinearState(TypedState):
    kernel: nnx.Param[Float32[Array, "din dout"]]
    bias: nnx.Param[Float32[Array, "dout"]]


class ModelState(TypedState):
    layers: StateMap[int, LinearState]


def model(dtype: str = "float32") -> Any:
    def linear() -> dict[str, Any]:
        return {
            "kernel": nnx.Param(jnp.ones((2, 3), dtype)),
            "bias": nnx.Param(jnp.ones(3, dtype)),
        }

    return state({"layers": {index: linear() for index in range(10)}})


def test_values_for_variables() -> None:
    value = "(a value where its Variable was meant: Param(value)) [kind]"
    kernel = f'expected Param[Float32[Array, "din dout"]], found float32[2,3] {value}'
    assert str(explain(nnx.to_pure_dict(model()), ModelState)).splitlines() == [
        "does not fit ModelState: 20 violations",
        "  cause: values stand for their Variables: Pure[...] takes a dict of them, "
        "Values[...] a State (20 leaves)",
        f"  layers[0].kernel: {kernel}",
        f'  layers[0].bias: expected Param[Float32[Array, "dout"]], found float32[3] {value}',
        f"  layers[1].kernel: {kernel}",
        "  and 17 more of that cause",
    ]


def test_another_dtype_everywhere_names_cast() -> None:
    half = model("bfloat16")
    assert str(explain(half, ModelState)).splitlines() == [
        "does not fit ModelState: 20 violations",
        "  cause: the arrays are bfloat16 where Float32 is declared: "
        "Cast[..., BFloat16] takes those (20 leaves)",
        "  layers[0].kernel: expected dtype Float32, found bfloat16[2,3] [dtype]",
        "  layers[0].bias: expected dtype Float32, found bfloat16[3] [dtype]",
        "  layers[1].kernel: expected dtype Float32, found bfloat16[2,3] [dtype]",
        "  and 17 more of that cause",
    ]
    assert fits(half, Cast[ModelState, BFloat16])


def test_what_has_another_cause_is_shown_beside_it() -> None:
    half = model("bfloat16")
    del half["layers"][4]["kernel"]
    half["layers"][9]["more"] = nnx.Param(jnp.ones(1))
    shown = str(explain(half, ModelState)).splitlines()
    assert [line.split(":")[0].strip() for line in shown[2:]] == [
        *("layers[0].kernel", "layers[0].bias", "layers[1].kernel"),
        *("layers[4].kernel", "layers[9].more", "and 16 more of that cause"),
    ]


def test_all_violations_are_data() -> None:
    report = explain(model("bfloat16"), ModelState)
    assert len(report.violations) == len(report.to_dict()["violations"]) == 20


def refusal(node: Any, tree: Any) -> list[str]:
    try:
        update(node, tree)
    except StateTypeError as error:
        return str(error).splitlines()
    raise AssertionError("accepted")


class Net(nnx.Module):
    def __init__(self) -> None:
        layers = [nnx.Linear(2, 2, rngs=nnx.Rngs(0)) for _ in range(12)]
        self.layers = getattr(nnx, "List", list)(layers)


def test_int_keys_as_text_are_one_cause_for_a_live_node() -> None:
    layers = nnx.to_pure_dict(nnx.state(Net()))["layers"]
    shown = refusal(Net(), {"layers": {str(key): item for key, item in layers.items()}})
    assert shown[:2] == [
        "does not fit Net: 24 violations",
        "  cause: the int keys are text, as in a checkpoint: nnx.restore_int_paths makes them int "
        "(24 leaves)",
    ]
    assert shown[-1] == "  and 21 more of that cause"


def test_keys_of_two_implementations_are_told_apart() -> None:
    dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(0))
    try:
        rngs = nnx.Rngs(jax.random.key(0, impl="rbg"))
    except ValueError:
        pytest.skip("this Flax has keys of the default implementation alone")
    other = nnx.state(nnx.Dropout(0.5, rngs=rngs))
    shown = refusal(dropout, other)
    assert shown[1].endswith("expected key<fry>, found key<rbg> (resize=True takes it) [dtype]")


def test_metadata_of_an_array_is_not_called_concrete() -> None:
    class Described:  # as checkpoint libraries describe what they hold
        shape, dtype = (2, 3), jnp.dtype("float32")

    tree = state({"kernel": nnx.Param(Described()), "bias": nnx.Param(Described())})
    assert explain(tree, Abstract[LinearState]).violations[0].note == (
        "no array but what is known of one: jax.ShapeDtypeStruct(x.shape, x.dtype)"
    )


def test_a_stack_for_one_and_one_for_a_stack() -> None:
    single = model()
    stacked = jax.tree.map(lambda x: jnp.stack([x] * 5), single)
    several = Stacked[ModelState, "members"]
    assert fits(stacked, several)
    assert explain(stacked, ModelState).cause == (
        "the arrays have one axis more in front, of 5: "
        "Stacked[...] takes what nnx.vmap and nnx.scan stack (20 leaves)"
    )
    assert explain(single, several).cause == (
        "the arrays lack the first axis, members, as those of one that is not stacked (20 leaves)"
    )


def test_arrays_of_another_rank_that_no_stack_explains() -> None:
    wrong = state(
        {"layers": {0: {"kernel": nnx.Param(jnp.ones(6)), "bias": nnx.Param(jnp.ones(()))}}}
    )
    wrong["layers"][1] = {
        "kernel": nnx.Param(jnp.ones((2, 3, 4))),
        "bias": nnx.Param(jnp.ones((5, 3))),
    }
    report = explain(wrong, ModelState)
    assert [item.code for item in report.violations] == ["rank"] * 4
    assert report.cause == ""
