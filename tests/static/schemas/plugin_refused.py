"""Wrong uses that only the plugin sees; each line names the error that it must be."""

# fmt: off

from flax import nnx
from schema_models import LinearState, ModelState, NormState

from typedstate import Abstract, Only, Pure, Rest


def wrong_keys(state: ModelState) -> None:
    state["block"]  # E: "ModelState" has no key "block": did you mean "blocks"?  [index]
    state["blocks"][0]["up"]["krenel"]  # E: "LinearState" has no key "krenel": did you mean "kernel"?  [index]
    state["blocks"]["0"]  # E: Invalid index type "str" for "StateMap[int, BlockState]"; expected type "int"  [index]
    state["stem"][1]  # E: "Entries[LinearState, None, NormState]" has no key 1: nothing is kept there  [index]
    state["stem"][7]  # E: "Entries[LinearState, None, NormState]" has no key 7: its keys are below 3  [index]
    state["heads"].get(0)  # E: No overload variant of "get" of "StateMap" matches argument type "int"  [call-overload]
    state["values_"]  # E: "ModelState" has no key "values_": the key of values_ is 'values'  [index]
    state.get("temprature")  # E: "ModelState" has no key "temprature": did you mean "temperature"?  [index]


def wrong_attributes(state: ModelState) -> None:
    state.values_  # E: "ModelState" has no attribute "values_" at run time: its key is 'values'  [attr-defined]


def wrong_assignments(state: ModelState) -> None:
    state["blocks"][0]["up"]["kernel"] = 3  # E: Incompatible types in assignment (expression has type "int", target has type "Param[Array]")  [assignment]
    state["blocks"][0]["up"] = state["stem"][2]  # E: Incompatible types in assignment (expression has type "NormState", target has type "LinearState")  [assignment]
    state["hed"] = state["heads"]  # E: "ModelState" has no key "hed": did you mean "heads"?  [index]


def what_is_dropped(
    only: Only[ModelState, nnx.Param],
    rest: Rest[NormState, nnx.BatchStat],
    both: Only[NormState, (nnx.Param, nnx.BatchStat)],
    negated: Rest[NormState, (nnx.Param, nnx.BatchStat)],
) -> None:
    only.blocks[0].norm.mean  # E: "Only[NormState, Param]" has no attribute "mean": Only drops it  [attr-defined]
    only["blocks"][0]["norm"]["mean"]  # E: "Only[NormState, Param]" has no key "mean": Only drops it  [index]
    only.blocks[0].dropout  # E: "Only[BlockState, Param]" has no attribute "dropout": Only drops it  [attr-defined]
    rest.mean  # E: "Rest[NormState, BatchStat]" has no attribute "mean": Rest drops it  [attr-defined]
    rest.scale
    both.mean
    negated.scale  # E: "Rest[NormState, Any(Param, BatchStat)]" has no attribute "scale": Rest drops it  [attr-defined]


def what_functions_drop(state: ModelState) -> None:
    nnx.filter_state(state, nnx.Param).temperature  # E: "Only[ModelState, Param]" has no attribute "temperature": Only drops it  [attr-defined]
    first, second = nnx.split_state(state, nnx.Param, ...)
    first["temperature"]  # E: "Only[ModelState, Param]" has no key "temperature": Only drops it  [index]
    second["values"]  # E: "Only[Rest[ModelState, Param], ...]" has no key "values": Rest drops it  [index]
    nnx.merge_state(first, second)["hed"]  # E: "ModelState" has no key "hed": did you mean "heads"?  [index]
    nnx.merge_state(first)["temperature"]  # E: "Only[ModelState, Param]" has no key "temperature": Only drops it  [index]
    ModelState.of(state, nnx.Param)["temperature"]  # E: "Only[ModelState, Param]" has no key "temperature": Only drops it  [index]


def forms_that_change_leaves(
    pure: Pure[ModelState], abstract: Abstract[LinearState], only: Pure[Only[NormState, nnx.Param]]
) -> None:
    pure["blocks"][0]["up"]["krenel"]  # E: "Pure[LinearState]" has no key "krenel": did you mean "kernel"?  [index]
    pure["blocks"]["0"]  # E: "Pure[StateMap[int, BlockState]]" has no key "0": its keys are int  [index]
    pure["blocks"][0]["up"]["kernel"].shapes  # E: "Array" has no attribute "shapes"; maybe "shape" or "reshape"?  [attr-defined]
    abstract["krenel"]  # E: "Abstract[LinearState]" has no key "krenel": did you mean "kernel"?  [index]
    abstract.krenel  # E: "Abstract[LinearState]" has no attribute "krenel": did you mean "kernel"?  [attr-defined]
    only["mean"]  # E: "Pure[Only[NormState, Param]]" has no key "mean": Only drops it  [index]
