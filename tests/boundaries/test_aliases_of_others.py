"""Annotations that their reader can't evaluate: whose they are decides whether one is told."""

from __future__ import annotations

import logging
import sys
import types
import warnings
from typing import Any, Protocol

import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jaxtyping import Array, Float

from typedstate import SchemaError, StateTypeError, TypedStateWarning, checked
from typedstate.boundaries.decorator import checked_by_hook as covered

X = jnp.zeros(3)

#: Another package, whose alias refers to a name that only its own module has.
OTHERS = types.ModuleType("others")
sys.modules["others"] = OTHERS
exec(
    """
import collections.abc
import typing
Tree = typing.Union[int, typing.Iterable["Tree"], typing.Mapping[typing.Any, "Tree"]]
class Speaks(typing.Protocol):
    def speak(self) -> str: ...
""",
    vars(OTHERS),
)


@pytest.mark.parametrize("decorate", [checked, covered])
def test_an_alias_of_another_package_is_left_alone_in_silence(
    decorate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def step(
        opt_state: optax.OptState,
        tree: OTHERS.Tree,
        filter_: nnx.filterlib.Filter,
        x: Float[Array, "n"],
    ) -> optax.OptState:
        return opt_state

    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG, logger="typedstate"):
        warnings.simplefilter("error")
        wrapped = decorate(step)
        for _ in range(2):
            wrapped(optax.adam(1.0).init({"w": X}), {"a": [1]}, nnx.Param, X)
    assert caplog.messages[0] == (
        f"{__name__}.test_an_alias_of_another_package_is_left_alone_in_silence.<locals>.step"
        "(opt_state) is not enforced: name 'ArrayTree' is not defined"
    ).removeprefix(f"{__name__}.")
    with pytest.raises(StateTypeError):
        wrapped((), {}, nnx.Param, jnp.zeros((3, 1)))


def test_a_protocol_of_another_package_is_left_alone_in_silence() -> None:
    def hear(speaker: OTHERS.Speaks, x: Float[Array, "n"]) -> list[OTHERS.Speaks]:
        return [speaker]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked(hear)("a", X)


class Own(Protocol):
    def speak(self) -> str: ...


def test_a_protocol_of_ones_own_is_a_warning() -> None:
    def hear(speaker: Own) -> None: ...

    with pytest.warns(TypedStateWarning, match=r"hear\(speaker\) is not enforced"):
        checked(hear)


def test_a_name_of_ones_own_that_is_missing_is_an_error_or_a_warning() -> None:
    def step(x: Missing) -> None: ...

    with pytest.raises(SchemaError, match="name 'Missing' is not defined; define or import it"):
        checked(step)(X)
    with pytest.warns(TypedStateWarning, match="name 'Missing' is not defined"):
        covered(step)(X)


Own_Tree = Float[Array, "n"] | list["Own_Tree"]


def test_an_alias_within_itself() -> None:
    @checked
    def step(tree: Own_Tree) -> None: ...

    step(X)
    step([X, X])
    with pytest.raises(StateTypeError):
        step(jnp.zeros((3, 1)))


def test_nothing_is_enforced_by_any_or_object() -> None:
    def anything(x) -> Any:  # type: ignore[no-untyped-def]
        return x

    def something(x: Any) -> object:
        return x

    def each(x: object):  # type: ignore[no-untyped-def]
        yield x

    for function in (anything, something, each):
        assert checked(function) is function
