"""States and flat states: their functions and methods, and what is read off them."""

from typing import Any, assert_type

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from flax.nnx import filterlib, statelib
from flax.typing import PathParts
from static_check import Of, check
from static_models import Leaf, linear, net

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]

# The methods of State warn that the functions replace them.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def params() -> nnx.State[Any, Param]:
    return check(
        assert_type(nnx.state(net(), nnx.Param), nnx.State[Any, Param]), Of(nnx.State, nnx.Param)
    )


def test_reading_an_undeclared_key() -> None:
    state = params()
    check(assert_type(state["linear"], Any), nnx.State)
    check(assert_type(state["linear"]["kernel"], Any), nnx.Param)
    check(assert_type(state.linear.kernel, Any), nnx.Param)
    check(assert_type(list(state.values()), list[Any]), list)
    check(assert_type(state.get("linear"), Any | None), nnx.State)
    check(assert_type("linear" in state, bool), bool)
    check(assert_type(len(state), int), int)
    check(assert_type(state.raw_mapping, dict[Any, Any]), dict)
    for key, value in state.items():
        assert_type(key, Any)
        assert_type(value, Any)


def test_writing_a_key() -> None:
    state = params()
    state["extra"] = nnx.Param(jnp.ones(3))
    state.other = nnx.Param(jnp.ones(3))
    del state["extra"]


def test_a_bare_state_is_any_state() -> None:
    def size(state: nnx.State) -> int:
        return len(state)

    check(assert_type(size(params()), int), int)


def test_leaves_are_covariant() -> None:
    def size(state: nnx.State[Any, nnx.Variable[Any]]) -> int:
        return len(state)

    check(assert_type(size(params()), int), int)


def test_construction() -> None:
    check(assert_type(nnx.State({"a": {"b": jnp.ones(3)}}), nnx.State[str, Any]), nnx.State)
    check(assert_type(nnx.State({}), nnx.State[Any, Any]), nnx.State)


def test_map_state() -> None:
    state = params()
    check(
        assert_type(nnx.map_state(lambda path, v: v, state), nnx.State[Any, Param]),
        Of(nnx.State, nnx.Param),
    )
    check(
        assert_type(
            nnx.map_state(lambda path, v: v.replace(v[...] * 2), state),
            nnx.State[Any, nnx.Variable[jax.Array]],
        ),
        Of(nnx.State, nnx.Param),
    )
    check(
        assert_type(nnx.map_state(lambda path, v: v[...], state), nnx.State[Any, jax.Array]),
        Of(nnx.State, jax.Array),
    )
    check(
        assert_type(nnx.map_state(lambda path, v: "kernel" in path, state), nnx.State[Any, bool]),
        Of(nnx.State, bool),
    )


def test_flat_states() -> None:
    flat = check(
        assert_type(nnx.to_flat_state(params()), statelib.FlatState[Param]),
        Of(statelib.FlatState, nnx.Param),
    )
    check(assert_type(flat[0], tuple[PathParts, Param]), tuple, tuple, nnx.Param)
    check(assert_type(flat[:2], statelib.FlatState[Param]), Of(statelib.FlatState, nnx.Param))
    check(assert_type(flat.leaves, list[Param]), list)
    check(assert_type(flat.paths, tuple[PathParts, ...]), tuple)
    check(assert_type(len(flat), int), int)
    for path, leaf in flat:
        check(assert_type(path, PathParts), tuple)
        check(assert_type(leaf, Param), nnx.Param)
    check(assert_type(flat.to_nested_state(), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))
    check(
        assert_type(
            statelib.FlatState.from_sorted_keys_values(flat.paths, flat.leaves),
            statelib.FlatState[Param],
        ),
        Of(statelib.FlatState, nnx.Param),
    )
    check(
        assert_type(statelib.FlatState(list(flat), sort=True), statelib.FlatState[Param]),
        Of(statelib.FlatState, nnx.Param),
    )


def test_flat_split_filter_merge() -> None:
    flat = nnx.to_flat_state(nnx.state(net()))
    check(
        assert_type(flat.filter(nnx.Param), statelib.FlatState[Param]),
        Of(statelib.FlatState, nnx.Param),
    )
    kinds = check(
        assert_type(
            flat.split(nnx.Param, nnx.BatchStat, ...),
            tuple[
                statelib.FlatState[Param], statelib.FlatState[BatchStat], statelib.FlatState[Leaf]
            ],
        ),
        tuple,
        Of(statelib.FlatState, nnx.Param),
        Of(statelib.FlatState, nnx.BatchStat),
        statelib.FlatState,
    )
    check(
        # pyrefly adds what the third overload would say.
        assert_type(  # pyrefly: ignore[assert-type]
            statelib.FlatState.merge(kinds[0], kinds[1]), statelib.FlatState[Param | BatchStat]
        ),
        Of(statelib.FlatState, (nnx.Param, nnx.BatchStat)),
    )


def test_from_flat_state() -> None:
    flat = nnx.to_flat_state(params())
    check(assert_type(nnx.from_flat_state(flat), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))
    check(
        assert_type(nnx.from_flat_state(dict(flat)), nnx.State[Any, Param]),
        Of(nnx.State, nnx.Param),
    )
    check(
        assert_type(nnx.from_flat_state({("a", "b"): jnp.ones(3)}), nnx.State[Any, jax.Array]),
        Of(nnx.State, jax.Array),
    )
    check(assert_type(nnx.from_flat_state(flat, cls=nnx.State), nnx.State[Any, Any]), nnx.State)


def test_pure_dicts() -> None:
    state = params()
    pure = check(assert_type(nnx.to_pure_dict(state), dict[str, Any]), dict)
    check(assert_type(nnx.to_pure_dict(state, lambda v: v.shape), dict[str, Any]), dict)
    check(assert_type(statelib.restore_int_paths({"0": {"1": 2}}), dict[Any, Any]), dict)
    check(assert_type(nnx.replace_by_pure_dict(state, pure), None), type(None))


def test_filter_state() -> None:
    state = nnx.state(net())
    check(
        assert_type(nnx.filter_state(state, nnx.Param), nnx.State[Any, Param]),
        Of(nnx.State, nnx.Param),
    )
    check(
        assert_type(
            nnx.filter_state(state, nnx.Param, ...),
            tuple[nnx.State[Any, Param], nnx.State[Any, Leaf]],
        ),
        tuple,
        Of(nnx.State, nnx.Param),
        nnx.State,
    )
    chosen = nnx.filter_state(params(), lambda path, v: "kernel" in path)
    check(assert_type(chosen, nnx.State[Any, Any]), nnx.State)  # plugin: Expression is of type "State[Any, Param[Array]]", not "State[Any, Any]"  [assert-type]  # fmt: skip


def test_split_state() -> None:
    state = nnx.state(net())
    check(
        assert_type(nnx.split_state(params(), nnx.Param), nnx.State[Any, Param]),
        Of(nnx.State, nnx.Param),
    )
    check(
        assert_type(
            nnx.split_state(state, nnx.Param, nnx.BatchStat, ...),
            tuple[nnx.State[Any, Param], nnx.State[Any, BatchStat], nnx.State[Any, Leaf]],
        ),
        tuple,
        Of(nnx.State, nnx.Param),
        Of(nnx.State, nnx.BatchStat),
        nnx.State,
    )


def test_merge_state() -> None:
    weights, stats = nnx.state(net(), nnx.Param, nnx.BatchStat)
    check(assert_type(nnx.merge_state(weights), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))
    check(
        assert_type(nnx.merge_state(weights, stats), nnx.State[Any, Param | BatchStat]),
        Of(nnx.State, (nnx.Param, nnx.BatchStat)),
    )
    check(
        assert_type(nnx.merge_state(weights, stats, weights), nnx.State[Any, Param | BatchStat]),
        Of(nnx.State, (nnx.Param, nnx.BatchStat)),
    )
    check(
        assert_type(nnx.merge_state({"a": {"b": 1}}, {"a": {"c": 2}}), nnx.State[Any, Any]),
        nnx.State,
    )
    check(
        assert_type(weights | stats, nnx.State[Any, Param | BatchStat]),
        Of(nnx.State, (nnx.Param, nnx.BatchStat)),
    )


def test_diff() -> None:
    state = params()
    check(
        assert_type(statelib.diff(state, nnx.State({})), nnx.State[Any, Param]),
        Of(nnx.State, nnx.Param),
    )
    check(assert_type(state - nnx.State({}), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))


def test_create_path_filters() -> None:
    state = nnx.State({"a": 1, "b": 2})
    check(assert_type(statelib.create_path_filters(state), dict[filterlib.PathIn, Any]), dict)


def test_methods() -> None:
    state = params()
    check(
        assert_type(state.map(lambda path, v: v), nnx.State[Any, Param]), Of(nnx.State, nnx.Param)
    )
    check(
        assert_type(state.flat_state(), statelib.FlatState[Param]),
        Of(statelib.FlatState, nnx.Param),
    )
    check(
        assert_type(nnx.State.from_flat_path(state.flat_state()), nnx.State[Any, Param]),
        Of(nnx.State, nnx.Param),
    )
    check(assert_type(state.to_pure_dict(), dict[str, Any]), dict)
    check(assert_type(state.replace_by_pure_dict({}), None), type(None))
    check(assert_type(state.filter(nnx.Param), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))
    check(
        assert_type(
            nnx.state(net()).split(nnx.Param, ...),
            tuple[nnx.State[Any, Param], nnx.State[Any, Leaf]],
        ),
        tuple,
        Of(nnx.State, nnx.Param),
        nnx.State,
    )
    weights, stats = nnx.state(net(), nnx.Param, nnx.BatchStat)
    check(
        assert_type(nnx.State.merge(weights, stats), nnx.State[Any, Param | BatchStat]),
        Of(nnx.State, (nnx.Param, nnx.BatchStat)),
    )
    check(assert_type(nnx.state(linear()).get("none", 3), Any), int)
