"""A name of the module and the names of its functions are names of their own, as in a notebook."""

from typing import assert_type

import jax
from flax import nnx
from plugin_train_models import Net, Teacher, net
from schema_models import seen

Param = nnx.Param[jax.Array]

state = nnx.state(net())
kernel = state["head"]["kernel"]
either = nnx.state(net())
layers = nnx.List([nnx.Linear(2, 2, use_bias=False, rngs=nnx.Rngs(0))])


class Bare(nnx.Module):
    def __init__(self) -> None:
        plain = nnx.Linear(2, 2, use_bias=False, rngs=nnx.Rngs(0))
        self.plain = plain


class Chosen(nnx.Module):
    def __init__(self, *, biased: bool) -> None:
        layer = nnx.Linear(2, 2, use_bias=False, rngs=nnx.Rngs(0))
        if biased:
            layer = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
        self.layer = layer


class Growing(nnx.Module):
    def __init__(self) -> None:
        self.layers = nnx.List([nnx.Linear(2, 2, use_bias=False, rngs=nnx.Rngs(0))])
        self.layers.append(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))


class Biased(Net):
    def __init__(self) -> None:
        super().__init__(4, 2, nnx.Rngs(0))
        self.head = nnx.Linear(4, 11, rngs=nnx.Rngs(0))


def of_a_teacher() -> Param:
    state = nnx.state(Teacher(nnx.Rngs(0)))

    def inner() -> Param:
        state = nnx.state(net(), nnx.Param)
        return state["head"]["kernel"]

    seen(assert_type(inner(), Param), nnx.Param)
    return seen(assert_type(state["table"], Param), nnx.Param)


def exchange() -> None:
    global either
    either = nnx.state(Teacher(nnx.Rngs(0)))


def with_bias() -> None:
    layers[0] = nnx.Linear(2, 2, rngs=nnx.Rngs(0))


def test_a_name_of_the_module_and_of_functions() -> None:
    seen(assert_type(kernel, Param), nnx.Param)
    of_a_teacher()


def test_a_name_that_a_function_binds_for_the_module() -> None:
    exchange()
    seen(either["table"], nnx.Param)


def test_a_list_that_changes() -> None:
    with_bias()
    seen(nnx.state(layers)[0]["bias"], nnx.Param)
    grown = nnx.List([nnx.Linear(2, 2, use_bias=False, rngs=nnx.Rngs(0)) for _ in range(2)])
    grown.append(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))
    seen(nnx.state(grown)[2]["bias"], nnx.Param)
    seen(nnx.state(Growing()).layers[1]["bias"], nnx.Param)


def test_an_attribute_that_another_file_assigns() -> None:
    seen(nnx.state(Biased()).head["bias"], nnx.Param)
    model = net()
    model.head = nnx.Linear(4, 11, rngs=nnx.Rngs(0))
    seen(nnx.state(model)["head"]["bias"], nnx.Param)
    seen(nnx.state(model, nnx.Param)["head"]["bias"], nnx.Param)
    seen(nnx.to_pure_dict(nnx.state(model))["head"]["bias"], jax.Array)


def test_a_name_that_stands_for_another_one() -> None:
    assert_type(nnx.state(Bare()).plain.get("bias"), None)
    linear = nnx.Linear(2, 2, use_bias=False, rngs=nnx.Rngs(0))
    if linear.bias is None:
        linear = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
    other = linear
    seen(nnx.state(other)["bias"], nnx.Param)
    seen(nnx.state(nnx.List([linear]))[0]["bias"], nnx.Param)
    seen(nnx.state(nnx.Sequential(linear, nnx.relu)).layers[0]["bias"], nnx.Param)
    seen(nnx.state(nnx.Dict(one=other))["one"]["bias"], nnx.Param)
    seen(nnx.state(Chosen(biased=True)).layer["bias"], nnx.Param)
