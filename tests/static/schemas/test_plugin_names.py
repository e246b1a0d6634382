"""A name of the module and the names of its functions are names of their own, as in a notebook."""

from typing import assert_type

import jax
from flax import nnx
from plugin_train_models import Teacher, net
from schema_models import seen

Param = nnx.Param[jax.Array]

state = nnx.state(net())
kernel = state["head"]["kernel"]
either = nnx.state(net())


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


def test_a_name_of_the_module_and_of_functions() -> None:
    seen(assert_type(kernel, Param), nnx.Param)
    of_a_teacher()


def test_a_name_that_a_function_binds_for_the_module() -> None:
    exchange()
    seen(either["table"], nnx.Param)
