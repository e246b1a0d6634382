"""With the plugin: a filter of which nothing is known leaves of a state what may be left of it."""

from typing import Any, assert_type

import jax
import pytest
from flax import nnx
from schema_models import model, seen

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]


def params() -> nnx.State[Any, Param]:
    return nnx.state(model(), nnx.Param)


def any_filter() -> Any:
    return nnx.PathContains("blocks")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_state_of_one_kind() -> None:
    state, chosen = params(), any_filter()
    seen(assert_type(nnx.filter_state(state, chosen), nnx.State[Any, Param]), nnx.State)
    seen(
        assert_type(
            nnx.split_state(state, chosen, ...),
            tuple[nnx.State[Any, Param], nnx.State[Any, Param]],
        ),
        tuple,
    )
    seen(
        assert_type(
            nnx.filter_state(state, chosen, nnx.Param),
            tuple[nnx.State[Any, Param], nnx.State[Any, Param]],
        ),
        tuple,
    )
    seen(assert_type(state.filter(chosen), nnx.State[Any, Param]), nnx.State)
    seen(
        assert_type(state.split(chosen, ...), tuple[nnx.State[Any, Param], nnx.State[Any, Param]]),
        tuple,
    )


def test_a_filter_of_a_wrong_type() -> None:
    def chosen(state: nnx.State[Any, Param], filter_: nnx.Variable[Any]) -> nnx.State[Any, Param]:
        first, _ = assert_type(
            nnx.split_state(state, filter_, ...),
            tuple[nnx.State[Any, Param], nnx.State[Any, Param]],
        )
        return first

    seen(chosen(params(), any_filter()), nnx.State)


def test_a_function_as_filter() -> None:
    def of_blocks(path: nnx.filterlib.PathParts, _value: Any) -> bool:
        return "blocks" in path

    first, second, rest = nnx.split_state(params(), of_blocks, nnx.BatchStat, ...)
    seen(assert_type(first, nnx.State[Any, Param]), nnx.State)
    seen(assert_type(second, nnx.State[Any, Param]), nnx.State)
    seen(assert_type(rest, nnx.State[Any, Param]), nnx.State)


def test_a_state_of_several_kinds() -> None:
    state: nnx.State[Any, Param | BatchStat] = nnx.state(model(), (nnx.Param, nnx.BatchStat))
    first, second, rest = nnx.split_state(state, any_filter(), nnx.BatchStat, ...)
    seen(assert_type(first, nnx.State[Any, Param | BatchStat]), nnx.State)
    seen(assert_type(second, nnx.State[Any, BatchStat]), nnx.State)
    seen(assert_type(rest, nnx.State[Any, Param | BatchStat]), nnx.State)


def test_a_number_of_filters_that_is_not_known() -> None:
    chosen = [any_filter(), ...]
    seen(assert_type(nnx.split_state(params(), *chosen), Any), tuple)
