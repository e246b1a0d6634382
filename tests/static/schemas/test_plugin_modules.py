"""The state of a module, read from the attributes of its class."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, assert_type

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from schema_models import Block, Model, model, seen

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]
M = TypeVar("M", bound=nnx.Module)


class Scale(nnx.Variable[jax.Array]): ...


class Head(nnx.Module):
    def __init__(self, d: int, rngs: nnx.Rngs, act: Callable[[Any], Any] = jax.nn.relu) -> None:
        self.d = d
        self.name = "head"
        self.act = act
        self.linear = nnx.Linear(d, 3, rngs=rngs)
        self.scale = Scale(jnp.ones(d))
        self.table = np.ones(d)
        self.norm = nnx.BatchNorm(d, rngs=rngs) if d > 2 else None


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = Head(3, rngs)
        self.stages = nnx.List([Head(3, rngs), Head(3, rngs)])
        self.named = nnx.Dict(a=nnx.Linear(2, 2, rngs=rngs))
        self.mixed = nnx.Sequential(nnx.Linear(2, 2, rngs=rngs), jax.nn.relu)
        self.several = nnx.List([nnx.Linear(2, 2, rngs=rngs), nnx.BatchNorm(2, rngs=rngs)])
        self.by_name = nnx.Dict(norm=nnx.BatchNorm(2, rngs=rngs), out=nnx.Linear(2, 2, rngs=rngs))
        if len(self.several) > 3:
            self.either = nnx.Linear(2, 2, use_bias=False, rngs=rngs)
        else:
            self.either = nnx.Linear(2, 2, rngs=rngs)
        self.cell = nnx.RNN(nnx.GRUCell(2, 2, rngs=rngs), rngs=rngs)
        self.bound = nnx.SpectralNorm(nnx.Linear(2, 2, rngs=rngs), rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.rngs = rngs


class Child(Net):
    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(rngs)
        self.gate = nnx.Param(jnp.ones(()))


class Wrapper(nnx.Module, Generic[M]):
    def __init__(self, inner: M) -> None:
        self.inner = inner


class Sowing(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        self.sow(nnx.Intermediate, "seen", x)
        return x


def net() -> Net:
    return Net(nnx.Rngs(0))


def test_attributes_to_any_depth() -> None:
    state = nnx.state(net())
    seen(assert_type(state["head"]["linear"]["kernel"], Param), nnx.Param)
    seen(assert_type(state["head"]["linear"]["bias"], Param), nnx.Param)
    seen(assert_type(state.head.linear.kernel, Param), nnx.Param)
    seen(assert_type(state["head"]["scale"], Scale), Scale)
    seen(assert_type(state["stages"][0]["norm"]["mean"], BatchStat), nnx.BatchStat)
    seen(assert_type(state["named"]["a"]["kernel"], Param), nnx.Param)
    seen(assert_type(state["head"].get("scale"), Scale | None), Scale)


def test_items_as_they_are_written() -> None:
    state = nnx.state(net())
    seen(assert_type(state["mixed"]["layers"][0]["kernel"], Param), nnx.Param)
    seen(assert_type(state["several"][1]["mean"], BatchStat), nnx.BatchStat)
    seen(assert_type(state["by_name"]["norm"]["mean"], BatchStat), nnx.BatchStat)
    seen(assert_type(state["either"]["bias"], Param), nnx.Param)


def test_where_it_does_not_know() -> None:
    state = nnx.state(net())
    seen(assert_type(state["rngs"]["default"], Any), nnx.State)
    seen(assert_type(state["dropout"]["rngs"]["key"], Any), nnx.RngKey)
    seen(assert_type(state["cell"]["cell"]["dense_h"]["kernel"], Any), nnx.Param)
    seen(assert_type(state["bound"]["layer_instance"]["kernel"], Any), nnx.Param)
    lora = nnx.LoRA(2, 1, 2, base_module=nnx.Linear(2, 2, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    seen(assert_type(nnx.state(lora)["base_module"]["kernel"], Any), nnx.Param)
    sowing = Sowing()
    sowing(jnp.ones(3))
    seen(assert_type(nnx.state(sowing)["seen"], Any), nnx.Intermediate)


def of_any_module(module: nnx.Module) -> None:
    assert_type(nnx.state(module)["anything"], Any)


def test_inheritance_and_generic_modules() -> None:
    state = nnx.state(Child(nnx.Rngs(0)))
    seen(assert_type(state["gate"], Param), nnx.Param)
    seen(assert_type(state["head"]["linear"]["kernel"], Param), nnx.Param)
    wrapper = Wrapper(net())
    wrapped = nnx.state(wrapper)
    seen(assert_type(wrapped["inner"]["head"]["scale"], Scale), Scale)
    seen(assert_type(nnx.state(model())["blocks"][0]["up"]["kernel"], Param), nnx.Param)
    seen(assert_type(nnx.state(model())["blocks"][0]["norm"]["mean"], BatchStat), nnx.BatchStat)


def test_filters_and_split() -> None:
    params = nnx.state(net(), nnx.Param)
    assert_type(params, nnx.State[Any, Param])
    seen(assert_type(params["head"]["linear"]["kernel"], Param), nnx.Param)
    graphdef, state = nnx.split(net())
    assert_type(graphdef, nnx.GraphDef[Net])
    seen(assert_type(state["head"]["scale"], Scale), Scale)
    _, first, rest = nnx.split(net(), nnx.Param, ...)
    seen(assert_type(first["head"]["linear"]["kernel"], Param), nnx.Param)
    seen(assert_type(rest["stages"][1]["norm"]["var"], BatchStat), nnx.BatchStat)
    assert_type(nnx.merge(graphdef, state), Net)


def test_pure() -> None:
    pure = nnx.to_pure_dict(nnx.state(net()))
    seen(assert_type(pure["head"]["linear"]["kernel"], jax.Array), jax.Array)


def test_what_is_written_is_no_matter_of_the_class() -> None:
    state = nnx.state(net())
    state["head"]["scale"] = 0
    state["head"]["fresh"] = nnx.Param(jnp.ones(3))
    seen(assert_type(state["head"]["fresh"], Any), nnx.Param)


def takes(state: nnx.State[Any, Any], block: Block, other: Model) -> nnx.State[Any, Any]:
    return nnx.state(block) if state else nnx.state(other)
