"""What reports say of declared keys, of keys of another kind, and of the options of a union."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from tests.agreement import warm
from tests.zoo import LinearState, Mlp, MlpState, leaf, state
from typedstate import Bind, Only, Rest, Shared, StateMap, TypedState, explain
from typedstate._annotations.spec_of import name_of

KERNEL = jnp.ones((2, 3))


class TiedState(TypedState):
    embed: LinearState
    head: Annotated[nnx.Param, Shared("embed.kernel")]


class Pair(TypedState):
    a: nnx.Param[Float[Array, "n"]]
    b: nnx.Param[Float[Array, "m"]]


class Triple(TypedState):
    x: nnx.Param[Float[Array, "n"]]
    y: nnx.Param[Float[Array, "m"]]
    z: nnx.Param[Float[Array, "k"]]


class EitherState(TypedState):
    weights: Pair | Triple
    leaf: nnx.Param[Float[Array, "n m"]] | nnx.BatchStat[Float[Array, "n"]] | None


class Listed(TypedState):
    layers: Bind[StateMap[int, LinearState], "len=n"]


class ByName(TypedState):
    layers: StateMap[str, LinearState]


def linear() -> dict[str, Any]:
    return {"kernel": leaf(nnx.Param, KERNEL)}


def lines(value: Any, hint: Any) -> list[str]:
    return str(explain(value, hint)).splitlines()


def test_a_shared_variable_is_declared() -> None:
    tree = state({"embed": linear(), "head": leaf(nnx.Param, KERNEL)})
    assert lines(tree, TiedState)[1] == (
        "  head: expected nothing, as it is shared with embed.kernel, found Param float32[2,3] "
        "(Flax keeps a shared Variable at its first path in sorted order) [extra]"
    )


def test_what_a_form_has_left_out_is_declared() -> None:
    tree = state({"kernel": leaf(nnx.Param, KERNEL), "bias": leaf(nnx.Param, jnp.ones(3))})
    rest = Rest[LinearState, nnx.PathContains("bias")]
    assert explain(tree, rest).violations[0].message == (
        f"expected nothing, as {name_of(rest)} leaves it out, found Param float32[3]"
    )
    tree["more"] = leaf(nnx.Param, KERNEL)
    found = lines(tree, Only[LinearState, nnx.BatchStat])
    assert found[3] == "  more: not declared, found Param float32[2,3] [extra]"


def test_the_whole_state_where_a_selection_is_wanted() -> None:
    tree = nnx.state(Mlp(2, 3, rngs=nnx.Rngs(0)))
    assert lines(tree, Only[MlpState, nnx.BatchStat])[1:3] == [
        "  cause: the whole tree is here where a selection of it is wanted: "
        "nnx.state(model, nnx.Param), say, selects (4 leaves)",
        "  up.bias: expected nothing, as Only[LinearState, BatchStat] leaves it out, "
        "found Param float32[3] [extra]",
    ]


def test_an_option_of_a_union_is_named() -> None:
    tree = {"a": leaf(nnx.Param, KERNEL), "b": leaf(nnx.Param, jnp.ones(3, jnp.int32))}
    assert lines({"weights": tree}, EitherState)[1:3] == [
        '  weights.a: expected rank 1 ("n"), found shape (2, 3) (as Pair) [rank]',
        "  weights.b: expected dtype Float, found int32[3] (as Pair) [dtype]",
    ]
    either = {"leaf": leaf(nnx.Param, jnp.ones(2)), "weights": tree}
    assert lines(either, EitherState)[1].endswith("[rank]")  # its kind shows which it is
    whole = {"x": leaf(nnx.Param, jnp.ones(2)), "y": jnp.ones(2), "z": leaf(nnx.Param, jnp.ones(2))}
    assert lines({"weights": whole}, EitherState)[1] == (
        '  weights.y: expected Param[Float[Array, "m"]], found float32[2] '
        "(a value where its Variable was meant: Param(value); as Triple) [kind]"
    )


def test_a_dtype_everywhere_in_an_option_is_one_cause() -> None:
    tree = {key: leaf(nnx.Param, jnp.ones(2, jnp.int8)) for key in ("x", "y", "z")}
    assert lines({"weights": tree}, EitherState)[1] == (
        "  cause: the arrays are int8 where Float is declared (3 leaves)"
    )


def test_a_stacked_state_where_a_list_of_states_is_wanted() -> None:
    @nnx.vmap
    def layers(key: Any) -> nnx.Linear:
        return nnx.Linear(2, 3, rngs=nnx.Rngs(key))

    stacked = nnx.state(layers(jax.random.split(jax.random.key(0), 4)), nnx.Param)
    doors = warm(Listed, {"layers": {0: linear()}})
    assert not doors.ask({"layers": stacked})
    note = "one state for all: Stacked[LinearState, ...] is what nnx.vmap and nnx.scan make"
    assert lines({"layers": stacked}, Listed)[:3] == [
        "does not fit Listed: 2 violations",
        f"  layers.bias: expected int keys, found the key 'bias' ({note}) [key]",
        f"  layers.kernel: expected int keys, found the key 'kernel' ({note}) [key]",
    ]
    one_key = {"layers": {"kernel": leaf(nnx.Param, KERNEL), "more": leaf(nnx.Param, KERNEL)}}
    assert explain(one_key, Listed).violations[0].note == ""  # that is something else


def test_int_keys_where_text_is_declared() -> None:
    tree = {"layers": {index: linear() for index in range(12)}}
    assert lines(tree, ByName)[1:3] == [
        "  cause: the keys are ints: StateMap[int, ...] takes those (12 leaves)",
        "  layers[0]: expected str keys, found the key 0 (StateMap[int, ...] takes int keys) [key]",
    ]


class OddKey:
    """A key whose comparison gives no truth value, as those of NumPy's objects."""

    def __eq__(self, other: object) -> Any:
        return np.array([True, False])

    def __hash__(self) -> int:
        return 3


def test_a_key_that_can_not_be_compared_is_only_undeclared() -> None:
    class NormState(TypedState):
        scale: nnx.Param[Float[Array, "n"]]
        mean: nnx.BatchStat[Float[Array, "n"]]

    tree = {"scale": leaf(nnx.Param, jnp.ones(2)), OddKey(): leaf(nnx.Param, jnp.ones(2))}
    report = explain(tree, Only[NormState, nnx.Param])
    assert [one.code for one in report.violations] == ["extra"]
