"""Keys that no attribute of the class stands for."""

# fmt: off

from flax import nnx
from test_plugin_modules import Child, Head, Net, Wrapper


def wrong_keys(net: Net, child: Child, wrapper: Wrapper[Net]) -> None:
    state = nnx.state(net)
    state["hed"]  # E: "State[Net]" has no key "hed": did you mean "head"?  [index]
    state["head"]["linear"]["krenel"]  # E: "State[Linear]" has no key "krenel": did you mean "kernel"?  [index]
    state["stages"]["0"]  # E: "State[List[Head]]" has no key "0": its keys are int  [index]
    state["named"][0]  # E: "State[Dict[Linear]]" has no key 0: its keys are str  [index]
    state.head.krenel  # E: "State[Head]" has no attribute "krenel": it has "act", "linear", "norm", "scale", "table"  [attr-defined]
    nnx.state(child)["gaet"]  # E: "State[Child]" has no key "gaet": did you mean "gate"?  [index]
    nnx.state(wrapper)["inner"]["hed"]  # E: "State[Net]" has no key "hed": did you mean "head"?  [index]


def what_is_no_leaf(head: Head) -> None:
    nnx.state(head)["d"]  # E: "State[Head]" has no key "d": no leaf stands in the attribute d  [index]
    nnx.state(head)["name"]  # E: "State[Head]" has no key "name": no leaf stands in the attribute name  [index]
    nnx.state(head)["act"]


def what_is_dropped(net: Net) -> None:
    params = nnx.state(net, nnx.Param)
    params["head"]["scale"]  # E: "Only[State[Head], Param]" has no key "scale": Only drops it  [index]
    params["head"]["norm"]["mean"]  # E: "Only[State[BatchNorm], Param]" has no key "mean": Only drops it  [index]
    _, first, rest = nnx.split(net, nnx.Param, ...)
    first["head"]["scale"]  # E: "Only[State[Head], Param]" has no key "scale": Only drops it  [index]
    first["dropout"]  # E: "Only[State[Net], Param]" has no key "dropout": Only drops it  [index]
    rest["named"]  # E: "Only[Rest[State[Net], Param], ...]" has no key "named": Rest drops it  [index]
    nnx.to_pure_dict(nnx.state(net))["head"]["scael"]  # E: "Pure[State[Head]]" has no key "scael": did you mean "scale"?  [index]
