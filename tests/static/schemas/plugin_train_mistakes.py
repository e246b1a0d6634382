"""Mistakes in train steps of models without a schema; ``# pyright`` is on those that pyright sees too."""

# fmt: off

from functools import partial
from typing import Any

import jax
from flax import nnx
from plugin_train_models import (
    Net,
    Params,
    Teacher,
    decayed,
    loss,
    loss_and_logits,
    squares,
    teacher_loss,
)


def gradients_of_another_filter(model: Net, tx: Any, tokens: jax.Array) -> None:
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    grads = nnx.grad(loss, argnums=nnx.DiffState(0, nnx.BatchStat))(model, tokens)
    optimizer.update(model, grads)  # E: Argument 2 to "update" of "Optimizer" has leaves of "BatchStat[Array]", and the optimizer is over "Param"  [arg-type]


def an_optimizer_over_something_else(model: Net, tx: Any, tokens: jax.Array) -> None:
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.BatchStat)
    optimizer.update(model, nnx.grad(loss)(model, tokens))  # E: Argument 2 to "update" of "Optimizer" has leaves of "Param[Array]", and the optimizer is over "BatchStat"  [arg-type]


def gradients_of_a_lambda_by_another_filter(model: Net, tx: Any, tokens: jax.Array) -> None:
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.BatchStat)
    optimizer.update(model, nnx.grad(lambda m: loss(m, tokens))(model))  # E: Argument 2 to "update" of "Optimizer" has leaves of "Param[Array]", and the optimizer is over "BatchStat"  [arg-type]


def a_misspelt_key_of_a_lambdas_gradients(model: Net, tokens: jax.Array) -> None:
    nnx.grad(lambda m: loss(m, tokens))(model)["blocks"][0]["atn"]  # E: "Only[State[Block], Param]" has no key "atn": did you mean "attn"?  [index]


def model_and_gradients_swapped(model: Net, optimizer: nnx.Optimizer[Net], tokens: jax.Array) -> None:
    grads = nnx.grad(loss)(model, tokens)
    optimizer.update(grads, model)  # E: Argument 1 to "update" of "Optimizer" has incompatible type "State[Any, Param[Array]]"; expected "Net"  [arg-type]  # pyright


def value_and_gradients_at_once(model: Net, optimizer: nnx.Optimizer[Net], tokens: jax.Array) -> None:
    optimizer.update(model, nnx.value_and_grad(loss)(model, tokens))  # E: Argument 2 to "update" of "Optimizer" is a tuple, and no gradients  [arg-type]


def the_value_for_the_gradients(model: Net, optimizer: nnx.Optimizer[Net], tokens: jax.Array) -> None:
    value, _ = nnx.value_and_grad(loss)(model, tokens)
    optimizer.update(model, value)  # E: Argument 2 to "update" of "Optimizer" is "Array", and no gradients  [arg-type]


def gradients_of_another_model(model: Net, teacher: Teacher, optimizer: nnx.Optimizer[Net], tokens: jax.Array) -> None:
    optimizer.update(model, nnx.grad(teacher_loss)(teacher, tokens))  # E: Argument 2 to "update" of "Optimizer" is of "Teacher", and the model is "Net"  [arg-type]


def an_optimizer_of_another_model(teacher: Teacher, optimizer: nnx.Optimizer[Net], tokens: jax.Array) -> None:
    optimizer.update(teacher, nnx.grad(teacher_loss)(teacher, tokens))  # E: Argument 1 to "update" of "Optimizer" has incompatible type "Teacher"; expected "Net"  [arg-type]  # E: Argument 2 to "update" of "Optimizer" is of "Teacher", and the model is "Net"  [arg-type]  # pyright


def an_abstract_state_for_gradients(model: Net, optimizer: nnx.Optimizer[Net], tokens: jax.Array) -> None:
    optimizer.update(model, jax.eval_shape(nnx.grad(loss), model, tokens))  # E: Argument 2 to "update" of "Optimizer" is an abstract state, and no gradients  [arg-type]


def has_aux_forgotten(model: Net, tokens: jax.Array) -> None:
    nnx.value_and_grad(loss_and_logits)(model, tokens)  # E: The function returns a tuple: a gradient of it takes has_aux=True  [arg-type]


def has_aux_of_one_value(model: Net, tokens: jax.Array) -> None:
    nnx.value_and_grad(loss, has_aux=True)(model, tokens)  # E: The function returns "Array": has_aux=True takes a pair  [arg-type]


def has_aux_of_one_value_bound_before(model: Net, tokens: jax.Array) -> None:
    partial(nnx.value_and_grad, has_aux=True)(loss)(model, tokens)  # E: The function returns "Array": has_aux=True takes a pair  [arg-type]


def gradients_and_aux_at_once(model: Net, optimizer: nnx.Optimizer[Any], tokens: jax.Array) -> None:
    optimizer.update(model, nnx.grad(loss_and_logits, has_aux=True)(model, tokens))  # E: Argument 2 to "update" of "Optimizer" is a tuple, and no gradients  [arg-type]


def a_gradient_by_the_wrong_argument(model: Net, tokens: jax.Array) -> None:
    nnx.grad(loss)(tokens, model)  # E: Argument 1 to "loss" has incompatible type "Array"; expected "Net"  [arg-type]  # E: Argument 2 to "loss" has incompatible type "Net"; expected "Array"  [arg-type]  # pyright


def a_misspelt_key(model: Net) -> None:
    nnx.state(model, nnx.Param)["blocks"][0]["attn"]["query"]["kernal"]  # E: "Only[State[LinearGeneral], Param]" has no key "kernal": did you mean "kernel"?  [index]


def a_misspelt_key_of_gradients(model: Net, tokens: jax.Array) -> None:
    nnx.grad(loss)(model, tokens)["embed"]["embeding"]  # E: "Only[State[Embed], Param]" has no key "embeding": did you mean "embedding"?  [index]


def a_list_by_text(model: Net) -> None:
    nnx.state(model)["blocks"]["0"]  # E: "State[List[Block]]" has no key "0": its keys are int  [index]


def what_the_filter_dropped(model: Net) -> None:
    _, params, rest = nnx.split(model, nnx.Param, ...)
    params["blocks"][0]["norm"]["mean"]  # E: "Only[State[BatchNorm], Param]" has no key "mean": Only drops it  [index]
    rest["embed"]  # E: "Only[Rest[State[Net], Param], ...]" has no key "embed": Rest drops it  [index]


def a_bias_that_was_left_out(model: Net) -> None:
    nnx.to_pure_dict(nnx.state(model))["head"]["bias"]  # E: "Pure[State[Linear]]" has no key "bias": no leaf stands in the attribute bias  [index]


def an_activation_for_a_layer(model: Net) -> None:
    nnx.state(model)["blocks"][0]["mlp"]["layers"][1]["kernel"]  # E: "State[List]" has no key 1: no leaf stands there  [index]


def an_abstract_state_passed_on(model: Net, scale: jax.Array) -> None:
    params = jax.eval_shape(lambda: nnx.state(model, nnx.Param))
    squares(params, scale)  # E: Argument 1 to "squares" has incompatible type "State[Any, Param[ShapeDtypeStruct]]"; expected "State[Any, Param[Array]]"  [arg-type]


def arrays_of_numpy_passed_on(model: Net, scale: jax.Array) -> None:
    squares(jax.device_get(nnx.state(model, nnx.Param)), scale)  # E: Argument 1 to "squares" has incompatible type "State[Any, Param[ndarray[Any, Any]]]"; expected "State[Any, Param[Array]]"  [arg-type]


def shapes_for_arrays(params: Params, scale: jax.Array) -> None:
    squares(jax.tree.map(lambda x: x.shape, params), scale)  # E: Argument 1 to "squares" has incompatible type "State[Any, Param[tuple[int, ...]]]"; expected "State[Any, Param[Array]]"  [arg-type]


def leaves_of_another_kind(model: Net, scale: jax.Array) -> None:
    squares(nnx.state(model, nnx.BatchStat), scale)  # E: Argument 1 to "squares" has incompatible type "State[Any, BatchStat[Array]]"; expected "State[Any, Param[Array]]"  [arg-type]  # pyright


def arguments_of_a_jitted_function_swapped(params: Params, scale: jax.Array) -> None:
    jax.jit(squares)(scale, params)  # E: Argument 1 to "squares" has incompatible type "Array"; expected "State[Any, Param[Array]]"  [arg-type]  # E: Argument 2 to "squares" has incompatible type "State[Any, Param[Array]]"; expected "Array"  [arg-type]
    jax.grad(squares)(scale, params)  # E: Argument 1 to "squares" has incompatible type "Array"; expected "State[Any, Param[Array]]"  [arg-type]  # E: Argument 2 to "squares" has incompatible type "State[Any, Param[Array]]"; expected "Array"  [arg-type]
    nnx.jit(squares)(scale, params)  # E: Argument 1 to "__call__" of "JitWrapped" has incompatible type "Array"; expected "State[Any, Param[Array]]"  [arg-type]  # E: Argument 2 to "__call__" of "JitWrapped" has incompatible type "State[Any, Param[Array]]"; expected "Array"  [arg-type]  # pyright


def a_carry_misread(model: Net, scales: jax.Array) -> None:
    carry, _ = jax.lax.scan(decayed, nnx.state(model, nnx.Param), scales)
    carry["hed"]  # E: "Only[State[Net], Param]" has no key "hed": did you mean "head"?  [index]


def an_attribute_of_the_merged_model(model: Net) -> None:
    graphdef, state = nnx.split(model)
    nnx.merge(graphdef, state).hed  # E: "Net" has no attribute "hed"; maybe "head"?  [attr-defined]  # pyright
