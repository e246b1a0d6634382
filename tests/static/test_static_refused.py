"""Wrong uses: each line names the error that it must be in every checker."""

# fmt: off

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
    takes_statistics(params)  # E: Argument 1 to "takes_statistics" has incompatible type "State[Any, Param[Array]]"; expected "State[Any, BatchStat[Array]]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    flat: statelib.FlatState[BatchStat] = nnx.to_flat_state(params)  # E: Argument 1 to "to_flat_state" has incompatible type "State[Any, Param[Array]]"; expected "State[Any, BatchStat[Array]]"  [arg-type]  # reportAssignmentType / bad-assignment / invalid-assignment
    leaf: BatchStat = flat.leaves[0]
    other: Param = flat.leaves[0]  # E: Incompatible types in assignment (expression has type "BatchStat[Array]", variable has type "Param[Array]")  [assignment]  # reportAssignmentType / bad-assignment / invalid-assignment
    print(leaf, other)


def wrong_arity() -> None:
    a, b = nnx.state(net(), nnx.Param, nnx.BatchStat, ...)  # E: Too many values to unpack (2 expected, 3 provided)  [misc]  # reportAssignmentType / bad-unpacking / invalid-assignment
    graphdef, c = nnx.split(net(), nnx.Param, ...)  # E: Too many values to unpack (2 expected, 3 provided)  [misc]  # reportAssignmentType / bad-unpacking / invalid-assignment
    nnx.pop(net())  # E: No overload variant of "pop" matches argument type "Net"  [call-overload]  # reportCallIssue / no-matching-overload / no-matching-overload
    nnx.split_state(nnx.state(net()))  # E: No overload variant of "split_state" matches argument type "State[Any, Variable[Any] | Any]"  [call-overload]  # reportCallIssue / no-matching-overload / no-matching-overload
    print(a, b, c, graphdef)


def wrong_filter() -> None:
    nnx.state(net(), 3)  # E: No overload variant of "state" matches argument types "Net", "int"  [call-overload]  # reportArgumentType, reportCallIssue / no-matching-overload / no-matching-overload


def wrong_graphdef() -> None:
    graphdef, state = nnx.split(linear())
    module: nnx.BatchNorm = nnx.merge(graphdef, state)  # E: Incompatible types in assignment (expression has type "Linear", variable has type "BatchNorm")  [assignment]  # reportAssignmentType / bad-assignment / invalid-assignment
    nnx.merge(state, graphdef)  # E: No overload variant of "merge" matches argument types "State[Any, Variable[Any] | Any]", "GraphDef[Linear]"  [call-overload]  # reportArgumentType, reportCallIssue / no-matching-overload / no-matching-overload
    print(module)


def wrong_attributes() -> None:
    state = linear_state()
    state.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    state.kernel = 3  # E: Incompatible types in assignment (expression has type "int", variable has type "Param[Array]")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment


class Jitted(nnx.Module):
    @nnx.jit
    def step(self, x: jax.Array) -> jax.Array:
        return x


def wrong_calls() -> None:
    Jitted().step("x")  # E: Argument 1 to "__call__" of "_Bound" has incompatible type "str"; expected "Array"  [arg-type]  # reportArgumentType / - (no first parameter in a ParamSpec) / - (no first parameter in a ParamSpec)
    linear().eval(3)  # E: Too many arguments for "eval" of "Module"  [call-arg]  # reportCallIssue / bad-argument-count / too-many-positional-arguments
    linear().krenel  # E: "Linear" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute


def one_mistake_is_one_report() -> None:
    nnx.remat(linear().wrong)(3)  # E: "Linear" has no attribute "wrong"  [attr-defined]  # reportAttributeAccessIssue, reportUnknownArgumentType / missing-attribute / missing-attribute
    nnx.jit(linear().wrong)(3)  # E: "Linear" has no attribute "wrong"  [attr-defined]  # reportArgumentType, reportAttributeAccessIssue, reportUnknownArgumentType / missing-attribute / missing-attribute


def a_plain_state_is_no_declared_one() -> None:
    takes_linear(nnx.state(linear()))  # E: Argument 1 to "takes_linear" has incompatible type "State[Any, Variable[Any] | Any]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(nnx.to_pure_dict(linear_state()))  # E: Argument 1 to "takes_linear" has incompatible type "dict[str, Any]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type


def to_flat_state_takes_no_dict() -> None:
    nnx.to_flat_state({"a": 1})  # E: Argument 1 to "to_flat_state" has incompatible type "dict[str, int]"; expected "State[Any, Any]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
