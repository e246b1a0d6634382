"""Wrong uses: each is an error in every checker, and a comment that silences none is an error itself."""

from typing import Any

from flax import nnx
from schema_models import LinearState, ModelState

from typedstate import Abstract, Like, Only, Pure, checked


def takes_linear(state: LinearState) -> None: ...
def takes_pure(pure: Pure[LinearState]) -> None: ...
def takes_abstract(state: Abstract[LinearState]) -> None: ...


@checked
def scale(state: LinearState, by: float) -> LinearState:
    return state


def undeclared_attributes(state: ModelState) -> None:
    state.block  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    state.blocks[0].up.krenel  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    state.blocks.up  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    state.stem[0].scale  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    assert "bias" in state.blocks[0].up
    state.blocks[0].up.bias.get_value()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


def wrong_keys(state: ModelState) -> None:
    state.blocks["0"]  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    state.heads[0]  # type: ignore[index]  # pyright: ignore[reportArgumentType]


def wrong_assignments(state: ModelState) -> None:
    state.blocks[0].up.kernel = 3  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    state.blocks[0].norm = state.blocks[0].up  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    state.blocks[0] = state.blocks[0].up  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
    state.krenel = 3  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def what_is_no_schema(
    plain: nnx.State[Any, Any],
    pure: Pure[LinearState],
    abstract: Abstract[LinearState],
    moment: Like[LinearState, nnx.BatchStat[Any]],
    other: ModelState,
) -> None:
    takes_linear(plain)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    takes_linear(pure)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    takes_linear(abstract)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    takes_linear(moment)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    takes_linear(other)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def what_is_no_form(linear: LinearState, only: Only[LinearState, nnx.Param]) -> None:
    takes_pure(linear)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    takes_pure(only)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    takes_abstract(linear)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_wrong_call_of_a_checked_function(linear: LinearState) -> None:
    scale(linear)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    scale(linear, "2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    scale(linear, 2.0, 3.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    scale(linear, bye=2.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
