"""A GraphDef in a signature belongs to the states beside it."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from tests.zoo import Mlp, MlpState, leaf
from typedstate import (
    Merges,
    Only,
    Rest,
    SchemaError,
    StateTypeError,
    checked,
    explain,
)


class Wide(Mlp):
    """Another model, with a scale of its own."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(2, 3, rngs=rngs)
        self.scale = nnx.BatchStat(jnp.ones(3))


def mlp(hidden: int = 3) -> Any:
    return nnx.split(Mlp(2, hidden, rngs=nnx.Rngs(0)))


def wide(*filters: Any) -> Any:
    return nnx.split(Wide(nnx.Rngs(0)), *filters)


def refusal(call: Any, *args: Any) -> list[str]:
    with pytest.raises(StateTypeError) as error:
        call(*args)
    return str(error.value).splitlines()


@checked
def run(graphdef: Annotated[nnx.GraphDef[Mlp], Merges("state")], state: nnx.State) -> Any:
    return nnx.merge(graphdef, state)


@checked
def train(
    graphdef: Annotated[nnx.GraphDef, Merges("params", "rest")],
    params: nnx.State,
    rest: nnx.State,
) -> None: ...


def test_a_state_of_another_model_is_refused() -> None:
    for hidden in (3, 4, 3):  # a GraphDef knows no sizes
        run(*mlp(hidden))
    for _ in range(3):
        run(*wide())
    (graphdef, state), (other, more) = mlp(), wide()
    assert refusal(run, graphdef, more)[:2] == [
        "the arguments of run() do not fit: 1 violation",
        "  state.scale: not declared, found BatchStat float32[3] (graphdef is of another model) "
        "[extra]",
    ]
    assert refusal(run, other, state)[1] == (
        "  state.scale: missing, expected BatchStat (graphdef is of another model) [missing]"
    )


def test_a_renamed_leaf_is_named() -> None:
    graphdef, state = mlp()
    tree = nnx.to_pure_dict(state)
    tree["up"]["kernal"] = tree["up"].pop("kernel")
    assert refusal(run, graphdef, nnx.State(tree))[1:3] == [
        "  state.up.kernel: missing, expected Param (there is 'kernal': misspelt?) [missing]",
        "  state.up.kernal: not declared, found float32[2,3] (did you mean 'kernel'?) [extra]",
    ]


def test_kinds_are_compared() -> None:
    graphdef, state = mlp()
    wrong = nnx.State({**state, "up": {**state["up"], "bias": leaf(nnx.BatchStat, jnp.ones(3))}})
    run(graphdef, state)
    assert refusal(run, graphdef, wrong)[1] == (
        "  state.up.bias: expected Param, found BatchStat float32[3] "
        "(graphdef is of another model) [kind]"
    )


def test_several_states_hold_each_leaf_once() -> None:
    graphdef, params, rest = wide(nnx.Param, ...)
    for _ in range(3):
        train(graphdef, params, rest)
    again = refusal(train, graphdef, params, params)[1]
    assert "expected each leaf in one state, found Param" in again
    assert refusal(train, graphdef, params, nnx.State({}))[1] == (
        "  params.scale: missing, expected BatchStat (graphdef is of another model) [missing]"
    )
    assert refusal(train, mlp()[0], params, rest)[1].startswith("  rest.scale: not declared")


def test_it_holds_beside_schemas_and_under_transforms() -> None:
    @checked
    def loss(
        graphdef: Annotated[nnx.GraphDef[Wide], Merges("params", "rest")],
        params: Only[MlpState, nnx.Param],
        rest: Rest[nnx.State, nnx.Param],
    ) -> jax.Array:
        return nnx.merge(graphdef, params, rest)(jnp.ones((1, 2))).sum()

    graphdef, params, rest = wide(nnx.Param, ...)
    for _ in range(2):
        jax.grad(lambda params: loss(graphdef, params, rest))(params)
        jax.jit(loss, static_argnums=0)(graphdef, params, rest)
    with pytest.raises(StateTypeError, match=r"rest\.scale: not declared"):
        jax.jit(loss, static_argnums=0)(mlp()[0], params, rest)


def test_what_is_no_graphdef() -> None:
    assert refusal(run, 3, mlp()[1])[1].startswith("  graphdef: expected GraphDef")
    assert explain(mlp()[1], nnx.State)


def test_wrong_declarations() -> None:
    def unknown(graphdef: Annotated[nnx.GraphDef, Merges("stat")], state: nnx.State) -> None: ...

    with pytest.raises(SchemaError, match=r"Merges\('stat'\) names no annotated parameter; there"):
        checked(unknown)
    with pytest.raises(SchemaError, match="names the parameters that have the states"):
        Merges()
