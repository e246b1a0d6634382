"""The functions of `graphlib` and `statelib` that every supported Flax 0.12 has."""

from collections.abc import Hashable
from typing import Any, assert_type

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx import statelib
from flax.nnx.proxy_caller import ApplyCaller
from flax.typing import PathParts
from static_check import Of, check
from static_models import Counter, Leaf, Net, linear, net

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]
Intermediate = nnx.Intermediate[jax.Array]


def test_state_and_variables() -> None:
    m = net()
    check(assert_type(nnx.state(m), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.variables(m, nnx.Param), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))
    check(
        assert_type(
            nnx.variables(m, nnx.Param, ...), tuple[nnx.State[Any, Param], nnx.State[Any, Leaf]]
        ),
        tuple,
        Of(nnx.State, nnx.Param),
        nnx.State,
    )


def test_split() -> None:
    m = net()
    check(
        assert_type(nnx.split(m), tuple[nnx.GraphDef[Net], nnx.State[Any, Leaf]]),
        tuple,
        nnx.GraphDef,
        nnx.State,
    )
    check(
        assert_type(
            nnx.split(linear(), nnx.Param), tuple[nnx.GraphDef[nnx.Linear], nnx.State[Any, Param]]
        ),
        tuple,
        nnx.GraphDef,
        Of(nnx.State, nnx.Param),
    )
    check(
        assert_type(
            nnx.split(m, nnx.Param, nnx.BatchStat, ...),
            tuple[
                nnx.GraphDef[Net],
                nnx.State[Any, Param],
                nnx.State[Any, BatchStat],
                nnx.State[Any, Leaf],
            ],
        ),
        tuple,
        nnx.GraphDef,
        Of(nnx.State, nnx.Param),
        Of(nnx.State, nnx.BatchStat),
        nnx.State,
    )


def test_merge() -> None:
    graphdef, params, rest = nnx.split(net(), nnx.Param, ...)
    check(assert_type(nnx.merge(graphdef, params, rest), Net), Net)
    check(assert_type(nnx.merge(*nnx.split(linear())), nnx.Linear), nnx.Linear)
    check(assert_type(nnx.merge(graphdef, params, rest, copy=True), Net), Net)


def test_update() -> None:
    m = net()
    nnx.update(m, nnx.state(m, nnx.Param), nnx.state(m, nnx.BatchStat))
    check(assert_type(nnx.update(m, nnx.state(m)), None), type(None))


def test_pop() -> None:
    check(assert_type(nnx.pop(net(), nnx.Intermediate), nnx.State[Any, Intermediate]), Of(nnx.State, nnx.Intermediate))  # plugin: Expression is of type "State[Any, Intermediate[Any]]", not "State[Any, Intermediate[Array]]"  [assert-type]  # fmt: skip
    first, second = nnx.pop(net(), nnx.Intermediate, Counter)
    check(assert_type(first, nnx.State[Any, Intermediate]), Of(nnx.State, nnx.Intermediate))  # plugin: Expression is of type "State[Any, Intermediate[Any]]", not "State[Any, Intermediate[Array]]"  [assert-type]  # fmt: skip
    check(assert_type(second, nnx.State[Any, Counter]), Of(nnx.State, Counter))


def test_clone() -> None:
    check(assert_type(nnx.clone(net()), Net), Net)
    params = nnx.state(linear(), nnx.Param)
    check(assert_type(nnx.clone(params), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))


def test_graphdef() -> None:
    check(assert_type(nnx.graphdef(net()), nnx.GraphDef[Net]), nnx.GraphDef)


def test_iter_graph() -> None:
    for path, value in nnx.iter_graph(net()):
        check(assert_type(path, PathParts), tuple)
        assert_type(value, Any)
    check(assert_type(next(nnx.iter_graph(net())), tuple[PathParts, Any]), tuple)


def test_find_duplicates() -> None:
    check(assert_type(nnx.find_duplicates(net()), list[list[PathParts]]), list)


def test_call() -> None:
    caller = check(
        assert_type(
            nnx.call(nnx.split(net())),
            ApplyCaller[tuple[nnx.GraphDef[Net], nnx.State[Any, nnx.Variable[Any] | Any]]],
        ),
        object,
    )
    result = check(
        assert_type(
            caller(jnp.ones((1, 2))),
            tuple[Any, tuple[nnx.GraphDef[Net], nnx.State[Any, nnx.Variable[Any] | Any]]],
        ),
        tuple,
    )
    check(result[1], tuple, nnx.GraphDef, nnx.State)


def test_pure_state() -> None:
    def state_of(pure: nnx.PureState[Net]) -> nnx.State[Any, Any]:
        return assert_type(pure[1], nnx.State[Any, nnx.Variable[Any] | Any])

    check(state_of(nnx.split(net())), nnx.State)
    graphdef, params = nnx.split(net(), ...)
    check(state_of((graphdef, params)), nnx.State)


def test_pure() -> None:
    params = nnx.state(linear(), nnx.Param)
    # mypy: a state whose keys are Any fits two overloads, so that the leaves are Any.
    check(assert_type(nnx.pure(params), nnx.State[Any, jax.Array]), Of(nnx.State, jax.Array))  # type: ignore[assert-type]
    check(assert_type(nnx.pure(nnx.state(net())), nnx.State[Any, Any]), nnx.State)
    check(
        assert_type(nnx.pure(nnx.to_flat_state(params)), statelib.FlatState[jax.Array]),
        Of(statelib.FlatState, jax.Array),
    )
    check(assert_type(nnx.pure(nnx.Param(jnp.ones(3))), jax.Array), jax.Array)


def test_flatten_and_unflatten() -> None:
    check(
        assert_type(nnx.flatten(net()), tuple[nnx.GraphDef[Net], statelib.FlatState[Leaf]]),
        tuple,
        nnx.GraphDef,
        statelib.FlatState,
    )
    check(
        assert_type(nnx.flatten(net(), with_paths=False), tuple[nnx.GraphDef[Net], list[Any]]),
        tuple,
        nnx.GraphDef,
        list,
    )
    check(assert_type(nnx.unflatten(*nnx.flatten(net())), Net), Net)


def test_contexts() -> None:
    m = net()
    with nnx.split_context() as ctx:
        splitting: nnx.SplitContext = check(assert_type(ctx, Any), nnx.SplitContext)
        check(
            assert_type(
                splitting.split(m, nnx.Param, ...),
                tuple[nnx.GraphDef[Net], nnx.State[Any, Param], nnx.State[Any, Leaf]],
            ),
            tuple,
            nnx.GraphDef,
            Of(nnx.State, nnx.Param),
            nnx.State,
        )
    with nnx.split_context() as ctx:
        flattening: nnx.SplitContext = ctx
        check(
            assert_type(flattening.flatten(m), tuple[nnx.GraphDef[Net], statelib.FlatState[Leaf]]),
            tuple,
        )
    check(assert_type(nnx.split_context().__enter__(), Any), nnx.SplitContext)
    with nnx.merge_context() as ctx:
        merging: nnx.MergeContext = check(assert_type(ctx, Any), nnx.MergeContext)
        check(assert_type(merging.merge(*nnx.split(m)), Net), Net)
    with nnx.merge_context() as ctx:
        unflattening: nnx.MergeContext = ctx
        check(assert_type(unflattening.unflatten(*nnx.flatten(m)), Net), Net)
    check(assert_type(nnx.merge_context().__enter__(), Any), nnx.MergeContext)
    with nnx.update_context("tag") as context:
        check(assert_type(context, nnx.UpdateContext), nnx.UpdateContext)
        check(assert_type(nnx.current_update_context("tag"), nnx.UpdateContext), nnx.UpdateContext)
    check(assert_type(nnx.update_context("tag").tag, Hashable), str)
