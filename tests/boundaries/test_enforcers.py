"""The same schemas under every tool that enforces annotations, and what each of them shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from beartype import beartype
from beartype.door import is_bearable
from beartype.roar import BeartypeCallHintParamViolation
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, TypeCheckError, jaxtyped
from pydantic import BaseModel, ValidationError

from tests import zoo
from tests.validation import faults
from tests.validation.sound_states import SOUND
from tests.zoo import LinearState, StreamState, leaf, named, state
from typedstate import (
    Bind,
    Like,
    Only,
    StateMap,
    StateOf,
    StateTypeError,
    TypedState,
    checked,
    explain,
)

typeguard = pytest.importorskip("typeguard")


class ModelState(TypedState):
    kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("embed", None)]
    scale: Float[Array, "dout"]
    gate: Annotated[nnx.Param[Float[Array, "4*dout"]], Is[lambda x: x.ndim == 1]] | None
    layers: StateMap[int, Bind[LinearState, "din=dout dout"]]
    table: StateMap[str, nnx.Param[Float[Array, "dout"]]]
    rngs: StreamState | None
    momentum: Like[Only[LinearState, nnx.Param], nnx.OptState] | None


def ones(*shape: int, dtype: Any = np.float32) -> Any:
    return jnp.asarray(np.ones(shape, dtype))


def tree(dout: int = 3) -> dict[Any, Any]:
    layer = {"kernel": nnx.Param(ones(dout, dout)), "bias": nnx.Param(ones(dout))}
    return {
        "kernel": named(nnx.Param, ones(2, dout), "embed"),
        "scale": ones(dout),
        "gate": nnx.Param(ones(4 * dout)),
        "layers": {0: dict(layer), 1: dict(layer)},
        "table": {"x": nnx.Param(ones(dout))},
        "momentum": {"kernel": leaf(nnx.OptState, ones(5, 4)), "bias": leaf(nnx.OptState, ones(4))},
    }


@dataclass(frozen=True)
class Case:
    """A change that is made to the tree, and the code and path of what it leads to."""

    name: str
    change: Callable[[dict[Any, Any]], Any]
    code: str = ""
    path: str = ""


def put(*keys: Any) -> Callable[..., Callable[[dict[Any, Any]], None]]:
    def with_value(value: Any) -> Callable[[dict[Any, Any]], None]:
        def change(tree: dict[Any, Any]) -> None:
            for key in keys[:-1]:
                tree = tree[key]
            if value is None:
                del tree[keys[-1]]
            else:
                tree[keys[-1]] = value

        return change

    return with_value


FAULTS = [
    Case("missing", put("kernel")(None), "missing", "kernel"),
    Case("missing below", put("layers", 1, "kernel")(None), "missing", "layers[1].kernel"),
    Case("extra", put("other")(ones(3)), "extra", "other"),
    Case("extra below", put("layers", 0, "other")(ones(3)), "extra", "layers[0].other"),
    Case("str key", put("layers", "2")(LinearState), "key", "layers"),
    Case("int key", put("table", 3)(nnx.Param(ones(3))), "key", "table[3]"),
    Case("kind", put("kernel")(leaf(nnx.BatchStat, ones(2, 3))), "kind", "kernel"),
    Case("raw for Variable", put("kernel")(ones(2, 3)), "kind", "kernel"),
    Case(
        "kind of the optimizer",
        put("momentum", "bias")(nnx.Param(ones(4))),
        "kind",
        "momentum.bias",
    ),
    Case("Variable for raw", put("scale")(nnx.Param(ones(3))), "array", "scale"),
    Case("numpy", put("scale")(np.ones(3, np.float32)), "array", "scale"),
    Case("scalar", put("scale")(1.5), "array", "scale"),
    Case("container", put("layers")(ones(3)), "container", "layers"),
    Case("dtype", put("scale")(ones(3, dtype=np.int32)), "dtype", "scale"),
    Case("dtype below", put("table", "x")(nnx.Param(ones(3, dtype=np.int8))), "dtype", "table.x"),
    Case("rank", put("scale")(ones(3, 1)), "rank", "scale"),
    Case("dim", put("scale")(ones(4)), "dim", "scale"),
    Case("dim of an entry", put("layers", 1, "bias")(nnx.Param(ones(4))), "dim", "layers[1].bias"),
    Case("expression", put("gate")(nnx.Param(ones(13))), "dim", "gate"),
    Case("predicate", put("gate")(nnx.Param(ones(12, 1))), "rank", "gate"),
    Case("axis names", put("kernel")(named(nnx.Param, ones(2, 3), "mlp")), "sharding", "kernel"),
    Case("no axis names", put("kernel")(nnx.Param(ones(2, 3))), "sharding", "kernel"),
]
VALID = [
    Case("as declared", lambda tree: None),
    Case("other sizes", lambda tree: tree.update(globals()["tree"](5))),
    Case("no optional part", lambda tree: (tree.pop("gate"), tree.pop("momentum"))),
    Case("empty list", lambda tree: tree.update(layers={})),
    Case("empty dict", lambda tree: tree.update(table={})),
    Case("a subclass", put("table", "x")(leaf(type("Own", (nnx.Param,), {}), ones(3)))),
    Case("other metadata", put("table", "x")(leaf(nnx.Param, ones(3), note="mine"))),
    Case("bfloat16", put("scale")(ones(3, dtype=ml_dtypes.bfloat16))),
    Case("no bias", put("layers", 0, "bias")(None)),
    Case(
        "random state",
        lambda tree: tree.update(rngs=zoo.as_dict(nnx.state(nnx.Rngs(0)))["default"]),
    ),
]


def value_of(case: Case) -> Any:
    made = tree()
    if case.name == "str key":
        made["layers"]["2"] = made["layers"].pop(1)
    else:
        case.change(made)
    return state(made)


def by_checked(hint: Any) -> Callable[[Any], Any]:
    return checked(_annotated(hint))


def by_beartype(hint: Any) -> Callable[[Any], Any]:
    return beartype(_annotated(hint))


def by_jaxtyped(hint: Any) -> Callable[[Any], Any]:
    return jaxtyped(typechecker=beartype)(_annotated(hint))


def by_typeguard(hint: Any) -> Callable[[Any], Any]:
    def use(value: Any) -> Any:
        return typeguard.check_type(value, hint)

    return use


def by_pydantic(hint: Any) -> Callable[[Any], Any]:
    model = type("Config", (BaseModel,), {"__annotations__": {"value": hint}})
    return lambda value: model(value=value)


def _annotated(hint: Any) -> Any:
    def use(value: Any) -> None: ...

    use.__annotations__ = {"value": hint}
    return use


TOOLS: dict[str, tuple[Callable[[Any], Callable[[Any], Any]], type[Exception]]] = {
    "checked": (by_checked, StateTypeError),
    "beartype": (by_beartype, BeartypeCallHintParamViolation),
    "jaxtyped": (by_jaxtyped, TypeCheckError),
    "typeguard": (by_typeguard, typeguard.TypeCheckError),
    "pydantic": (by_pydantic, ValidationError),
}
#: What each tool lets through of the reason: typeguard writes its own words.
SHOWS_REASON = {"checked", "beartype", "pydantic"}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_fault_is_refused(tool: str) -> None:
    make, error = TOOLS[tool]
    use = make(ModelState)
    for case in FAULTS:
        value = value_of(case)
        report = explain(value, ModelState)
        found = {(item.code, item.path) for item in report.violations}
        assert (case.code, case.path) in found, (case.name, found)
        for _ in range(2):
            with pytest.raises(error) as caught:
                use(value)
        if tool in SHOWS_REASON:
            assert report.violations[0].path in str(caught.value), case.name
            assert report.violations[0].code in str(caught.value), case.name


@pytest.mark.parametrize("tool", TOOLS)
def test_every_valid_state_is_accepted(tool: str) -> None:
    use = TOOLS[tool][0](ModelState)
    for case in VALID:
        for _ in range(2):
            use(value_of(case))


@pytest.mark.parametrize("tool", TOOLS)
def test_the_whole_fault_matrix_is_refused_and_every_sound_state_accepted(tool: str) -> None:
    make, error = TOOLS[tool]
    use = make(faults.WholeState)
    for name, break_, expected in faults.FAULTS:
        tree = faults.whole()
        break_(tree)
        with pytest.raises(error) as caught:
            use(nnx.State(tree))
        if tool in SHOWS_REASON:
            path, code = expected[0]
            assert path in str(caught.value), name
            assert code in str(caught.value), name
    for sound in SOUND.values():
        use(sound())


def test_bearable_agrees() -> None:
    for case in FAULTS:
        assert not is_bearable(value_of(case), ModelState), case.name
        assert not isinstance(value_of(case), ModelState), case.name
    for case in VALID:
        assert is_bearable(value_of(case), ModelState), case.name
        assert is_bearable([value_of(case)], list[ModelState])
        assert is_bearable(value_of(case), ModelState | None)


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "checked"])
@pytest.mark.parametrize(
    "hint", [Only[LinearState, nnx.Param], StateOf[nnx.Param], Bind[LinearState, "din=2 dout"]]
)
def test_forms_are_enforced_too(tool: str, hint: Any) -> None:
    make, error = TOOLS[tool]
    use = make(hint)
    use(state({"kernel": nnx.Param(ones(2, 3)), "bias": nnx.Param(ones(3))}))
    for wrong in (3, None, state({"kernel": leaf(nnx.BatchStat, ones(2, 3))})):
        with pytest.raises(error):
            use(wrong)


WRONG = state({"kernel": nnx.Param(ones(2, 3)), "bias": nnx.Param(ones(4)), "extra": ones(2)})
REASON = (
    "does not fit LinearState: bias: dout is 4, but dout=3 from kernel, axis 1 [dim]; "
    "extra: not declared, found float32[2] [extra]"
)


def test_beartype_shows_the_reason() -> None:
    with pytest.raises(BeartypeCallHintParamViolation) as caught:
        by_beartype(LinearState)(WRONG)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(caught.value))
    assert REASON in plain


def test_jaxtyped_names_the_parameter_and_the_hint_only() -> None:
    with pytest.raises(TypeCheckError) as caught:
        by_jaxtyped(LinearState)(WRONG)
    assert "The problem arose whilst typechecking parameter 'value'." in str(caught.value)
    assert f"Expected type: {LinearState!r}." in str(caught.value)
    assert REASON not in str(caught.value)


def test_typeguard_names_the_class_only() -> None:
    with pytest.raises(typeguard.TypeCheckError) as caught:
        by_typeguard(LinearState)(WRONG)
    assert str(caught.value).endswith("is not an instance of tests.zoo.layers.LinearState")


def test_a_union_loses_the_reason_under_beartype_and_keeps_it_under_checked() -> None:
    with pytest.raises(BeartypeCallHintParamViolation) as caught:
        by_beartype(LinearState | None)(WRONG)
    assert "violates type hint" in str(caught.value)
    with pytest.raises(StateTypeError) as ours:
        by_checked(LinearState | None)(WRONG)
    assert "value.bias: dout is 4" in str(ours.value)


def test_pydantic_fields() -> None:
    class Config(BaseModel):
        params: LinearState
        more: list[LinearState] = []
        maybe: Only[LinearState, nnx.Param] | None = None

    good = state({"kernel": nnx.Param(ones(2, 3)), "bias": nnx.Param(ones(3))})
    config = Config(params=good, more=[good], maybe=good)
    assert config.params is good
    with pytest.raises(ValidationError) as caught:
        Config(params=good, more=[good, WRONG])
    (error,) = caught.value.errors()
    assert error["type"] == "state_type"
    assert error["loc"] == ("more", 1)
    assert error["msg"] == f"{REASON}; dims: din=2 dout=3"
    assert error["ctx"]["violations"][1] == {
        "path": "extra",
        "code": "extra",
        "expected": "no such key",
        "actual": "float32[2]",
    }


def test_pydantic_json() -> None:
    class Config(BaseModel):
        params: LinearState

    good = state({"kernel": nnx.Param(ones(2, 3))})
    schema = Config.model_json_schema()
    assert schema["properties"]["params"]["type"] == "object"
    assert schema["properties"]["params"]["title"] == "LinearState"
    assert Config(params=good).model_dump_json() == '{"params":{"kernel":"Param float32[2,3]"}}'
    assert Config(params=good).model_dump()["params"] is good
    assert Config.model_json_schema(mode="serialization")
