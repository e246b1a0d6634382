"""Wrong uses: each is an error in every type checker, and a comment that silences none is an error
itself."""

from typing import Any

import jax
from flax import nnx
from flax.nnx import statelib
from static_models import LinearState, linear, linear_state, net

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]


def takes_statistics(state: nnx.State[Any, BatchStat]) -> None: ...


def takes_linear(state: LinearState) -> None: ...


# Never called: the lines are wrong.
def wrong_leaves() -> None:
    params = nnx.state(net(), nnx.Param)
    takes_statistics(params)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    flat: statelib.FlatState[BatchStat] = nnx.to_flat_state(params)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    leaf: BatchStat = flat.leaves[0]
    other: Param = flat.leaves[0]  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(leaf, other)


def wrong_arity() -> None:
    a, b = nnx.state(net(), nnx.Param, nnx.BatchStat, ...)  # type: ignore[misc]  # pyright: ignore[reportAssignmentType]
    graphdef, c = nnx.split(net(), nnx.Param, ...)  # type: ignore[misc]  # pyright: ignore[reportAssignmentType]
    nnx.pop(net())  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    nnx.split_state(nnx.state(net()))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    print(a, b, c, graphdef)


def wrong_filter() -> None:
    nnx.state(net(), 3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


def wrong_graphdef() -> None:
    graphdef, state = nnx.split(linear())
    module: nnx.BatchNorm = nnx.merge(graphdef, state)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    nnx.merge(state, graphdef)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    print(module)


def wrong_attributes() -> None:
    state = linear_state()
    state.krenel  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    state.kernel = 3  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


def a_plain_state_is_no_declared_one() -> None:
    takes_linear(nnx.state(linear()))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    takes_linear(nnx.to_pure_dict(linear_state()))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def to_flat_state_takes_no_dict() -> None:
    nnx.to_flat_state({"a": 1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
