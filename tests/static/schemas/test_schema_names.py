"""The public names that are no form and no layer: declarations, questions, reports, the switch."""

import warnings
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from types import EllipsisType, ModuleType
from typing import Annotated, Any, assert_type

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import AxisType
from jaxtyping import Array, Float
from schema_models import LinearState, ModelState, linear_state, model, model_state, seen

from typedstate import (
    Abstract,
    Alias,
    Axis,
    Merges,
    Only,
    Pure,
    Report,
    SchemaError,
    Shardings,
    Shared,
    Specs,
    StateTypeError,
    TypedState,
    TypedStateWarning,
    Unknown,
    UnlinkedDimsWarning,
    Violation,
    abstract,
    check,
    checked,
    doctor,
    explain,
    fits,
    infer,
    install_import_hook,
    merge,
    shardings,
    source_of,
    specs,
    suspended,
    to_source,
    update,
)
from typedstate.doctor import Diagnosis


class Tied(TypedState):
    values_: Annotated[nnx.Param[Float[Array, "n"]], Alias("values")]
    again: Annotated[nnx.Param[Float[Array, "n"]], Shared("values")]


def test_declarations() -> None:
    seen(assert_type(Alias(("kernel", "sigma")), Alias), Alias)
    seen(assert_type(Alias("values").key, Hashable), str)
    seen(assert_type(Shared("embed.embedding"), Shared), Shared)
    seen(assert_type(Shared("embed.embedding").path, str), str)
    seen(assert_type(Merges("params", "rest"), Merges), Merges)
    seen(assert_type(Merges("params").parameters, tuple[str, ...]), tuple)
    seen(assert_type(Axis(1, "layers"), Axis), Axis)
    seen(assert_type(Axis(1, None).partition_name, str | EllipsisType | None), type(None))
    tied = Tied({"values": nnx.Param(jnp.ones(2))})
    seen(assert_type(tied, Tied), nnx.State)

    def of(schema: type[TypedState]) -> None:
        seen(assert_type(schema.of(tied), TypedState), nnx.State)

    of(Tied)


def test_questions() -> None:
    state = linear_state()
    seen(assert_type(check(state, LinearState), LinearState), nnx.State)
    seen(assert_type(bool(fits(state, ModelState)), bool), bool)  # pyrefly: ignore[unnecessary-type-conversion]
    seen(assert_type(source_of(LinearState), str), str)
    report = explain(state, ModelState)
    seen(assert_type(report, Report), Report)
    seen(assert_type(bool(report), bool), bool)
    seen(assert_type(report.violations, tuple[Violation, ...]), tuple)
    seen(assert_type(report.violations[0].path, str), str)
    seen(assert_type(report.unknown, tuple[Unknown, ...]), tuple)
    seen(assert_type(report.dims, Mapping[str, int | tuple[int, ...]]), dict)
    seen(assert_type(report.to_json(), str), str)
    seen(assert_type(report.to_dict(), dict[str, Any]), dict)
    with pytest.raises(StateTypeError) as raised:
        check(state, ModelState)
    seen(assert_type(raised.value, StateTypeError), TypeError)
    seen(assert_type(raised.value.report, Report | None), Report)
    with pytest.raises(SchemaError) as mistake:
        check(state, LinearState, dims={"width": 2})
    seen(assert_type(mistake.value, SchemaError), TypeError)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(TypedStateWarning("a warning"), stacklevel=1)
    seen(assert_type(TypedStateWarning("a warning"), TypedStateWarning), UserWarning)
    assert caught[0].category is TypedStateWarning
    seen(assert_type(UnlinkedDimsWarning("a warning"), UnlinkedDimsWarning), TypedStateWarning)


@checked
def loss(state: LinearState, x: Float[Array, "n"]) -> Float[Array, ""]:
    return x.sum()


def test_boundaries() -> None:
    seen(assert_type(loss(linear_state(), jnp.ones(3)), jax.Array), jax.Array)
    seen(assert_type(checked(loss)(linear_state(), jnp.ones(3)), jax.Array), jax.Array)
    seen(assert_type(suspended().__enter__(), None), type(None))
    with suspended():
        seen(loss(linear_state(), jnp.ones(3)), jax.Array)
    hook = seen(
        assert_type(install_import_hook("no_such_package"), AbstractContextManager[None]),
        AbstractContextManager,
    )
    with hook:
        pass


def test_the_whole_model() -> None:
    module = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    graphdef, state = nnx.split(module)
    seen(assert_type(merge(graphdef, state), nnx.Linear), nnx.Linear)
    seen(assert_type(merge(graphdef, state, hint=LinearState), nnx.Linear), nnx.Linear)
    seen(assert_type(update(module, state), None), type(None))


def test_what_is_derived() -> None:
    made = abstract(LinearState, din=2, dout=3, dtype=jnp.float32, choices={"bias": True})
    seen(assert_type(made, Abstract[LinearState]), nnx.State)
    params = abstract(
        Only[LinearState, nnx.Param], din=2, dout=3, dtype=jnp.float32, choices={"bias": True}
    )
    seen(assert_type(params, Abstract[LinearState]), nnx.State)
    nested = abstract(Pure[LinearState], din=2, dout=3, dtype=jnp.float32, choices={"bias": True})
    seen(assert_type(nested, dict[str, Any]), dict)
    declared = specs(LinearState, choices={"bias": True})
    seen(assert_type(declared, Specs[LinearState]), nnx.State)
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    seen(
        assert_type(shardings(LinearState, mesh, choices={"bias": True}), Shardings[LinearState]),
        nnx.State,
    )


def test_the_way_back() -> None:
    seen(assert_type(infer(linear_state()), Any), type)
    seen(assert_type(infer(model(), model_state()), Any), type)
    seen(assert_type(to_source(ModelState), str), str)


def test_the_doctor_is_asked() -> None:
    # A module that can be called, so that `typedstate.doctor` is both.
    seen(assert_type(doctor, Callable[[], Diagnosis]), ModuleType)  # ty: ignore[assert-type-unspellable-subtype]  # it keeps the function
    assert callable(doctor)
