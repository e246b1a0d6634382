"""Wrong uses: each line names the error that it must be in every checker."""

# fmt: off

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, overload

import jax
from flax import nnx
from jaxtyping import Array, Float
from schema_models import (
    LinearState,
    Model,
    ModelState,
    NormState,
    Numbered,
    OpenState,
    Pair,
    Twins,
    plain_state,
)

from typedstate import (
    Abstract,
    Bind,
    Difference,
    Exactly,
    Flat,
    Like,
    Only,
    Pure,
    Rest,
    SchemaDocument,
    Shardings,
    Specs,
    Stacked,
    StateMap,
    TypedState,
    Values,
    abstract,
    check,
    checked,
    diff,
    explain,
    fits,
    install_import_hook,
    merge,
    optimizer_state,
    shardings,
    specs,
    update,
)

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]


def takes_linear(state: LinearState) -> None: ...
def takes_pure(pure: Pure[LinearState]) -> None: ...
def takes_flat(flat: Flat[LinearState]) -> None: ...
def takes_abstract(state: Abstract[LinearState]) -> None: ...
def takes_map(states: StateMap[int, LinearState]) -> None: ...
def takes_moment(state: Like[LinearState, nnx.OptVariable]) -> None: ...


def undeclared_attributes(
    state: ModelState, only: Only[ModelState, nnx.Param], rest: Rest[ModelState, nnx.Param],
    layers: Stacked[LinearState, "layers"], pair: Pair[LinearState], twins: Twins, opened: OpenState, numbered: Numbered,
) -> None:
    state.block  # E: "ModelState" has no attribute "block"; maybe "blocks"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    state.blocks[0].up.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    state.blocks.up  # E: "StateMap[int, BlockState]" has no attribute "up"  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    state.stem[0].scale  # E: "LinearState" has no attribute "scale"  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    state.stem.kernel  # E: "Entries[LinearState, None, NormState]" has no attribute "kernel"  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    only.block  # E: "ModelState" has no attribute "block"; maybe "blocks"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    rest.blocks[0].norms  # E: "BlockState" has no attribute "norms"; maybe "norm"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    layers.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    pair.third  # E: "Pair[LinearState]" has no attribute "third"  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    pair.first.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    twins.second.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    opened.krenel  # E: "OpenState" has no attribute "krenel"  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    numbered.layers_0  # E: "Numbered" has no attribute "layers_0"  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    ModelState.block  # E: "type[ModelState]" has no attribute "block"  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute
    assert "bias" in state.blocks[0].up
    state.blocks[0].up.bias.get_value()  # E: Item "None" of "Param[Array] | None" has no attribute "get_value"  [union-attr]  # reportOptionalMemberAccess / missing-attribute / missing-union-attribute


def wrong_keys(state: ModelState) -> None:
    state.blocks["0"]  # E: Invalid index type "str" for "StateMap[int, BlockState]"; expected type "int"  [index]  # reportArgumentType / bad-index / invalid-argument-type
    state.heads[0]  # E: Invalid index type "int" for "StateMap[str, LinearState]"; expected type "str"  [index]  # reportArgumentType / bad-index / invalid-argument-type
    state.blocks.get("0")  # E: No overload variant of "get" of "StateMap" matches argument type "str"  [call-overload]  # reportArgumentType / bad-argument-type / invalid-argument-type


def wrong_assignments(state: ModelState, pair: Pair[LinearState], only: Only[LinearState, nnx.Param]) -> None:
    state.blocks[0].up.kernel = 3  # E: Incompatible types in assignment (expression has type "int", variable has type "Param[Array]")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment
    state.blocks[0].up.kernel = jax.numpy.ones((2, 3))  # E: Incompatible types in assignment (expression has type "Array", variable has type "Param[Array]")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment
    state.blocks[0].norm = state.blocks[0].up  # E: Incompatible types in assignment (expression has type "LinearState", variable has type "NormState")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment
    state.blocks[0] = state.blocks[0].up  # E: Incompatible types in assignment (expression has type "LinearState", target has type "BlockState")  [assignment]  # reportArgumentType / unsupported-operation / invalid-assignment
    state.heads["a"] = state.heads["a"].kernel  # E: Incompatible types in assignment (expression has type "Param[Array]", target has type "LinearState")  [assignment]  # reportArgumentType / unsupported-operation / invalid-assignment
    state.krenel = 3  # E: "ModelState" has no attribute "krenel"  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-assignment
    pair.first = state.blocks[0].norm  # E: Incompatible types in assignment (expression has type "NormState", variable has type "LinearState")  [assignment]  # reportAttributeAccessIssue / not-callable / invalid-assignment
    only.kernel = 3  # E: Incompatible types in assignment (expression has type "int", variable has type "Param[Array]")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment


def wrong_kinds(state: NormState, linear: LinearState, maps: StateMap[str, Param]) -> None:
    state.mean = state.scale  # E: Incompatible types in assignment (expression has type "Param[Array]", variable has type "BatchStat[Array]")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment
    state.scale = nnx.BatchStat(jax.numpy.ones(3))  # E: Incompatible types in assignment (expression has type "BatchStat[Array]", variable has type "Param[Array]")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment
    linear.bias = state.mean  # E: Incompatible types in assignment (expression has type "BatchStat[Array]", variable has type "Param[Array] | None")  [assignment]  # reportAttributeAccessIssue / bad-assignment / invalid-assignment
    maps["a"] = state.mean  # E: Incompatible types in assignment (expression has type "BatchStat[Array]", target has type "Param[Array]")  [assignment]  # reportArgumentType / unsupported-operation / invalid-assignment
    stat: BatchStat = linear.kernel  # E: Incompatible types in assignment (expression has type "Param[Array]", variable has type "BatchStat[Array]")  [assignment]  # reportAssignmentType / bad-assignment / invalid-assignment
    param: Param = check(state.mean, nnx.BatchStat[Float[Array, "d"]])  # E: Argument 2 to "check" has incompatible type "TypeForm[BatchStat[Array]]"; expected "TypeForm[Param[Array]]"  [arg-type]  # reportAssignmentType / bad-assignment / invalid-assignment
    print(stat, param)


def what_is_no_schema(
    plain: nnx.State[Any, Any], params: nnx.State[Any, Param], pure: Pure[LinearState], values: Values[LinearState],
    abstract: Abstract[LinearState], specs: Specs[LinearState], moment: Like[LinearState, nnx.BatchStat[Any]],
    other: ModelState, maps: StateMap[str, Param], module: nnx.Linear, maybe: LinearState | None,
) -> None:
    takes_linear(plain)  # E: Argument 1 to "takes_linear" has incompatible type "State[Any, Any]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(params)  # E: Argument 1 to "takes_linear" has incompatible type "State[Any, Param[Array]]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(pure)  # E: Argument 1 to "takes_linear" has incompatible type "dict[str, Any]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(values)  # E: Argument 1 to "takes_linear" has incompatible type "State[Any, Any]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(abstract)  # E: Argument 1 to "takes_linear" has incompatible type "Abstract[LinearState]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(specs)  # E: Argument 1 to "takes_linear" has incompatible type "Specs[LinearState]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(moment)  # E: Argument 1 to "takes_linear" has incompatible type "Like[LinearState, BatchStat[Any]]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(other)  # E: Argument 1 to "takes_linear" has incompatible type "ModelState"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(maps)  # E: Argument 1 to "takes_linear" has incompatible type "StateMap[str, Param[Array]]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(module)  # E: Argument 1 to "takes_linear" has incompatible type "Linear"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(maybe)  # E: Argument 1 to "takes_linear" has incompatible type "LinearState | None"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(plain_state())  # E: Argument 1 to "takes_linear" has incompatible type "State[Any, Any]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_linear(nnx.to_pure_dict(nnx.state(module)))  # E: Argument 1 to "takes_linear" has incompatible type "dict[str, Any]"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    state: LinearState = nnx.state(module, nnx.Param)  # E: Incompatible types in assignment (expression has type "State[Any, Param[Array]]", variable has type "LinearState")  [assignment]  # reportAssignmentType / bad-assignment / invalid-assignment
    print(state)


def what_is_no_form(
    linear: LinearState, only: Only[LinearState, nnx.Param], abstract: Abstract[ModelState],
    places: Shardings[LinearState], moment: Like[LinearState, nnx.BatchStat[Any]], blocks: StateMap[int, NormState],
) -> None:
    takes_pure(linear)  # E: Argument 1 to "takes_pure" has incompatible type "LinearState"; expected "dict[str, Any]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_pure(only)  # E: Argument 1 to "takes_pure" has incompatible type "LinearState"; expected "dict[str, Any]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_flat(linear)  # E: Argument 1 to "takes_flat" has incompatible type "LinearState"; expected "dict[Any, Any]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_flat(nnx.to_flat_state(linear))  # E: Argument 1 to "takes_flat" has incompatible type "FlatState[Any]"; expected "dict[Any, Any]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_abstract(linear)  # E: Argument 1 to "takes_abstract" has incompatible type "LinearState"; expected "Abstract[LinearState]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_abstract(abstract)  # E: Argument 1 to "takes_abstract" has incompatible type "Abstract[ModelState]"; expected "Abstract[LinearState]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_abstract(places)  # E: Argument 1 to "takes_abstract" has incompatible type "Shardings[LinearState]"; expected "Abstract[LinearState]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_abstract(plain_state())  # E: Argument 1 to "takes_abstract" has incompatible type "State[Any, Any]"; expected "Abstract[LinearState]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_map(blocks)  # E: Argument 1 to "takes_map" has incompatible type "StateMap[int, NormState]"; expected "StateMap[int, LinearState]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_map(linear)  # E: Argument 1 to "takes_map" has incompatible type "LinearState"; expected "StateMap[int, LinearState]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_moment(linear)  # E: Argument 1 to "takes_moment" has incompatible type "LinearState"; expected "Like[LinearState, OptVariable]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    takes_moment(moment)  # E: Argument 1 to "takes_moment" has incompatible type "Like[LinearState, BatchStat[Any]]"; expected "Like[LinearState, OptVariable]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type


def misuse_of_of(module: nnx.Linear) -> None:
    LinearState.of()  # E: Missing positional argument "node_or_state" in call to "of" of "TypedState"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    LinearState.of(module, 3)  # E: Argument 2 to "of" of "TypedState" has incompatible type "int"; expected "Filter"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    LinearState.of(module, filters=nnx.Param)  # E: Unexpected keyword argument "filters" for "of" of "TypedState"  [call-arg]  # reportCallIssue / unexpected-keyword / unknown-argument
    LinearState.of(module, dims={"din": "2"})  # E: Dict entry 0 has incompatible type "str": "str"; expected "str": "int"  [dict-item]  # reportArgumentType / bad-assignment / invalid-argument-type
    LinearState.off(module)  # E: "type[LinearState]" has no attribute "off"  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute
    LinearState.of(module).krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    norm: NormState = LinearState.of(module)  # E: Incompatible types in assignment (expression has type "LinearState", variable has type "NormState")  [assignment]  # reportAssignmentType / bad-assignment / invalid-assignment
    StateMap[int, LinearState].of(module)["a"]  # E: Invalid index type "str" for "StateMap[int, LinearState]"; expected type "int"  [index]  # reportArgumentType / bad-index / invalid-argument-type
    Only[LinearState, nnx.Param].of(module)  # E: "<typing special form>" has no attribute "of"  [attr-defined]  # reportAttributeAccessIssue / - (a form is its schema as a value too) / - (likewise)
    print(norm)


def misuse_of_the_doors(state: ModelState, module: nnx.Linear, graphdef: nnx.GraphDef[nnx.Linear]) -> None:
    LinearState(3)  # E: Argument 1 to "LinearState" has incompatible type "int"; expected "Mapping[Any, Any] | Iterable[tuple[Any, Any]]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    LinearState(kernel=state.blocks[0].up.kernel)  # E: Unexpected keyword argument "kernel" for "LinearState"  [call-arg]  # reportCallIssue / bad-argument-count, unexpected-keyword / missing-argument, unknown-argument
    check(state)  # E: Missing positional argument "hint" in call to "check"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    check(state, 3)  # E: Argument 2 to "check" has incompatible type "int"; expected "TypeForm[Never]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-type-form
    check(state, ModelState, dims={"d": "2"})  # E: Dict entry 0 has incompatible type "str": "str"; expected "str": "int"  [dict-item]  # reportArgumentType / bad-assignment / invalid-argument-type
    linear: LinearState = check(state, NormState)  # E: Incompatible types in assignment (expression has type "NormState", variable has type "LinearState")  [assignment]  # reportAssignmentType / bad-assignment / invalid-assignment
    fits(state)  # E: Missing positional argument "hint" in call to "fits"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    explain()  # E: Missing positional arguments "value", "hint" in call to "explain"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    merge(state, graphdef)  # E: Argument 1 to "merge" has incompatible type "ModelState"; expected "GraphDef[Never]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    norm: nnx.BatchNorm = merge(graphdef, state)  # E: Incompatible types in assignment (expression has type "Linear", variable has type "BatchNorm")  [assignment]  # reportAssignmentType / bad-assignment / invalid-assignment
    update(module, state, news=True)  # E: Unexpected keyword argument "news" for "update"; did you mean "new"?  [call-arg]  # reportCallIssue / unexpected-keyword / unknown-argument
    abstract(3)  # E: No overload variant of "abstract" matches argument type "int"  [call-overload]  # reportArgumentType, reportCallIssue / no-matching-overload / - (ty takes any value for a TypeForm of an overload)
    shardings(LinearState)  # E: No overload variant of "shardings" matches argument type "type[LinearState]"  [call-overload]  # reportCallIssue / no-matching-overload / no-matching-overload
    specs()  # E: All overload variants of "specs" require at least one argument  [call-overload]  # reportCallIssue / no-matching-overload / no-matching-overload
    install_import_hook(3)  # E: Argument 1 to "install_import_hook" has incompatible type "int"; expected "str"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    print(linear, norm)


def misuse_of_documents_and_differences(found: Difference, document: SchemaDocument) -> None:
    diff(ModelState)  # E: Missing positional argument "b" in call to "diff"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    found.changed  # E: "Difference" has no attribute "changed"; maybe "changes"?  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute
    found.changes[0].was  # E: "Change" has no attribute "was"  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute
    found.forward = True  # E: Property "forward" defined in "Difference" is read-only  [misc]  # reportAttributeAccessIssue / read-only / invalid-assignment
    SchemaDocument.of()  # E: Missing positional argument "hint" in call to "of" of "SchemaDocument"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    SchemaDocument.from_json(document)  # E: Argument 1 to "from_json" of "SchemaDocument" has incompatible type "SchemaDocument"; expected "str | bytes"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    document.to_source()  # E: "SchemaDocument" has no attribute "to_source"  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute
    optimizer_state(ModelState)  # E: Missing positional argument "params" in call to "optimizer_state"  [call-arg]  # reportCallIssue / missing-argument / missing-argument


def what_a_declaration_can_not_be() -> None:
    class Sometimes(TypedState, extra="sometimes"):  # E: Argument "extra" to "__init_subclass__" of "TypedState" has incompatible type "Literal['sometimes']"; expected "Literal['forbid', 'allow'] | dict[str, Any]"  [arg-type]  # reportArgumentType, reportGeneralTypeIssues / bad-argument-type / invalid-argument-type
        kernel: Param

    class AnotherKind(LinearState):
        kernel: BatchStat  # E: Incompatible types in assignment (expression has type "BatchStat[Array]", base class "LinearState" defined the type as "Param[Array]")  [assignment]  # reportIncompatibleVariableOverride / bad-override / incompatible-attribute-override

    class Forms(TypedState):
        bound: Bind[LinearState]  # E: Annotated[...] must have exactly one type argument and at least one annotation  [valid-type]  # reportInvalidTypeForm / invalid-annotation / invalid-type-form
        only: Only[LinearState]  # E: Annotated[...] must have exactly one type argument and at least one annotation  [valid-type]  # reportInvalidTypeForm / invalid-annotation / invalid-type-form
        exactly: Exactly[3]  # E: Invalid type: try using Literal[3] instead?  [valid-type]  # reportGeneralTypeIssues / not-a-type / invalid-type-form
        no_entry: StateMap[LinearState]  # E: Type argument "LinearState" of "StateMap" must be a subtype of "int | str"  [type-var]  # reportInvalidTypeArguments / bad-specialization / invalid-type-arguments
        by_state: StateMap[LinearState, LinearState]  # E: Type argument "LinearState" of "StateMap" must be a subtype of "int | str"  [type-var]  # reportInvalidTypeArguments / bad-specialization / invalid-type-arguments
        like: Like[LinearState]  # E: "Like" expects 2 type arguments, but 1 given  [type-arg]  # E: Missing type arguments for generic type "Like"  [type-arg]  # reportInvalidTypeArguments / bad-specialization / invalid-type-arguments
        pure: Pure[LinearState, LinearState]  # E: Bad number of arguments for type alias, expected 1, given 2  [type-arg]  # reportInvalidTypeForm / bad-specialization / invalid-type-arguments
        flat: Flat[LinearState, LinearState, LinearState]  # E: Bad number of arguments for type alias, expected between 1 and 2, given 3  [type-arg]  # reportInvalidTypeForm / bad-specialization / invalid-type-arguments
        separator: Flat[LinearState, "/"]  # E: Invalid type comment or annotation  [valid-type]  # Expected expression / not-a-type / invalid-syntax-in-forward-annotation
        not_generic: LinearState[int]  # E: "LinearState" expects no type arguments, but 1 given  [type-arg]  # reportInvalidTypeArguments / bad-specialization / invalid-type-form

    print(Sometimes, AnotherKind, Forms)


@checked
def scale(state: LinearState, by: float) -> LinearState:
    return state


@checked
async def later(state: LinearState) -> LinearState:
    return state


@checked
def each(states: list[LinearState]) -> Iterator[LinearState]:
    yield from states


@checked
async def stream(state: LinearState) -> AsyncIterator[LinearState]:
    yield state


@overload
def pick(state: LinearState, key: int) -> int: ...
@overload
def pick(state: LinearState, key: str) -> str: ...
@checked
def pick(state: LinearState, key: int | str) -> int | str:
    return key


@checked
@dataclass
class Step:
    state: LinearState
    count: int = 0


class Trainer:
    @checked
    def method(self, state: LinearState) -> int:
        return len(state)

    @classmethod
    @checked
    def make(cls, state: LinearState) -> "Trainer":
        return cls()

    @checked
    @staticmethod
    def static(state: LinearState) -> int:
        return len(state)

    @property
    @checked
    def state(self) -> LinearState:
        raise NotImplementedError


@nnx.jit
@checked
def jitted(module: Model, state: ModelState) -> ModelState:
    return state


async def wrong_calls_of_checked_functions(linear: LinearState, norm: NormState, trainer: Trainer, module: Model) -> None:
    scale(linear)  # E: Missing positional argument "by" in call to "scale"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    scale(linear, "2")  # E: Argument 2 to "scale" has incompatible type "str"; expected "float"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    scale(linear, 2.0, 3.0)  # E: Too many arguments for "scale"  [call-arg]  # reportCallIssue / bad-argument-count / too-many-positional-arguments
    scale(linear, bye=2.0)  # E: Unexpected keyword argument "bye" for "scale"; did you mean "by"?  [call-arg]  # reportCallIssue / missing-argument, unexpected-keyword / missing-argument, unknown-argument
    scale(norm, 2.0).kernel  # E: Argument 1 to "scale" has incompatible type "NormState"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    scale(linear, 2.0).krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    later(linear).kernel  # E: "Coroutine[Any, Any, LinearState]" has no attribute "kernel"  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute
    (await later(norm)).kernel  # E: Argument 1 to "later" has incompatible type "NormState"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    (await later(linear)).krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    each(linear)  # E: Argument 1 to "each" has incompatible type "LinearState"; expected "list[LinearState]"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    next(each([linear])).krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    async for state in stream(linear):
        state.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    pick(linear, 2.0)  # E: No overload variant of "pick" matches argument types "LinearState", "float"  [call-overload]  # reportArgumentType, reportCallIssue / no-matching-overload / no-matching-overload
    pick(linear, 2).upper()  # E: "int" has no attribute "upper"  [attr-defined]  # reportAttributeAccessIssue / missing-attribute / missing-attribute
    Step(norm)  # E: Argument 1 to "Step" has incompatible type "NormState"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    Step(linear, "2")  # E: Argument 2 to "Step" has incompatible type "str"; expected "int"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    Step(linear).state.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    trainer.method(norm)  # E: Argument 1 to "method" of "Trainer" has incompatible type "NormState"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    Trainer.make(norm)  # E: Argument 1 to "make" of "Trainer" has incompatible type "NormState"; expected "LinearState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
    Trainer.static()  # E: Missing positional argument "state" in call to "static" of "Trainer"  [call-arg]  # reportCallIssue / missing-argument / missing-argument
    trainer.state.krenel  # E: "LinearState" has no attribute "krenel"; maybe "kernel"?  [attr-defined]  # reportAttributeAccessIssue / not-callable / invalid-attribute-access
    trainer.state = linear  # E: Property "state" defined in "Trainer" is read-only  [misc]  # reportAttributeAccessIssue / read-only / invalid-assignment
    jitted(module, linear)  # E: Argument 2 to "__call__" of "JitWrapped" has incompatible type "LinearState"; expected "ModelState"  [arg-type]  # reportArgumentType / bad-argument-type / invalid-argument-type
