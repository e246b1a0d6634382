"""Generic schemas with type parameters in brackets."""

from typing import assert_type

import jax
from flax import nnx
from schema_models import LinearState, linear_state, seen

from typedstate import StateMap, TypedState


class Both[A](TypedState):
    first: A
    rest: StateMap[str, A]


def test_a_schema_with_type_parameters_in_brackets() -> None:
    linear = linear_state()
    both = Both[LinearState]({"first": linear, "rest": {"a": linear}})
    seen(assert_type(both.first.kernel, nnx.Param[jax.Array]), nnx.Param)
    seen(assert_type(both.rest["a"].kernel, nnx.Param[jax.Array]), nnx.Param)
