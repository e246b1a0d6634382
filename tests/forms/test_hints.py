"""The classes that forms give: made once, collected, and refused where they mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.zoo import LinearState
from typedstate import (
    Abstract,
    Axis,
    Exactly,
    Only,
    Plus,
    Pure,
    Rest,
    Same,
    SchemaError,
    Scoped,
    Stacked,
    StateOf,
    TypedState,
)
from typedstate._annotations.spec_of import spec_of


def test_hints_are_made_once_and_forgotten_when_unused() -> None:
    import gc
    import weakref

    assert Only[LinearState, nnx.Param] is Only[LinearState, nnx.Param]
    hint = Pure[Only[LinearState, nnx.Not(nnx.Param), nnx.PathContains("kernel")]]
    dead = weakref.ref(hint)
    del hint
    gc.collect()
    assert dead() is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Only[LinearState], "Only[LinearState]: give a filter, e.g. nnx.Param"),
        (lambda: Rest[LinearState], "Rest[LinearState]: give a filter, e.g. nnx.Param"),
        (lambda: Plus[LinearState], "Plus[LinearState, ...]: give Variable classes"),
        (lambda: Plus[LinearState, int], "Plus[LinearState, ...]: give Variable classes"),
        (
            lambda: Pure[nnx.Param],
            "Pure[Param, ...]: a form takes a schema, not a leaf",
        ),
        (
            lambda: Exactly[Float[Array, "n"]],
            'Exactly[Float[Array, "n"]]: give a Variable class',
        ),
        (lambda: Scoped[LinearState, 3], 'Scoped[LinearState, 3]: give a name, "teacher"'),
        (lambda: Same[LinearState, ""], "Same[LinearState, '']: give a name, \"T\""),
        (
            lambda: Stacked[LinearState, nnx.Param],
            "Stacked[LinearState, <class 'flax.nnx.variablelib.Param'>]: first the axis, "
            'e.g. "layers", then one Axis, filters',
        ),
        (
            lambda: Stacked[LinearState, "a", Axis(0), Axis(1)],
            "Stacked[LinearState, 'a']: first the axis, e.g. \"layers\", then one Axis, filters",
        ),
        (
            lambda: Stacked[LinearState, "a-"],
            "Stacked[LinearState, 'a-']: 'a-' is neither a size, a name nor arithmetic",
        ),
        (
            lambda: StateOf[LinearState],
            "StateOf[LinearState]: give a leaf; StateMap[str, LinearState] has entries",
        ),
        (
            lambda: Pure[LinearState][LinearState],
            "Pure[LinearState] is complete: it can't be subscripted again",
        ),
        (
            lambda: Abstract[LinearState, nnx.Param],
            "Abstract[LinearState, Param]: wrong arguments; Abstract[S]: a "
            "jax.ShapeDtypeStruct in the place of each array.",
        ),
    ],
)
def test_a_form_that_means_nothing_says_so(make: Any, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        make()
    assert str(error.value) == message


def test_forms_with_other_arguments_say_something_else() -> None:
    class Both(TypedState):
        scale: nnx.Param[Float[Array, "n"]]
        mean: nnx.BatchStat[Float[Array, "n"]]

    assert spec_of(Only[Both, nnx.Param]) != spec_of(Only[Both, nnx.BatchStat])
