"""What each filter selects: the same verdict by type checkers and at run time."""

from types import EllipsisType
from typing import Any, assert_type

import jax
from flax import nnx
from flax.nnx import filterlib
from flax.typing import PathParts
from static_check import Of, check
from static_models import Bare, Counter, Leaf, Scale, linear, net

Param = nnx.Param[jax.Array]
BatchStat = nnx.BatchStat[jax.Array]


def test_variable_classes() -> None:
    m = net()
    check(assert_type(nnx.state(m, nnx.Param), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))
    check(
        assert_type(nnx.state(m, nnx.BatchStat), nnx.State[Any, BatchStat]),
        Of(nnx.State, nnx.BatchStat),
    )
    check(
        assert_type(nnx.state(m, nnx.Variable), nnx.State[Any, nnx.Variable[jax.Array]]),
        Of(nnx.State, nnx.Variable),
    )
    check(
        assert_type(nnx.state(m, nnx.RngKey), nnx.State[Any, nnx.RngKey]), Of(nnx.State, nnx.RngKey)
    )
    check(
        assert_type(nnx.state(m, nnx.RngState), nnx.State[Any, nnx.RngState]),
        Of(nnx.State, nnx.RngState),
    )


def test_custom_classes() -> None:
    m = net()
    check(assert_type(nnx.state(m, Scale), nnx.State[Any, Scale[jax.Array]]), Of(nnx.State, Scale))
    check(assert_type(nnx.state(m, Counter), nnx.State[Any, Counter]), Of(nnx.State, Counter))
    check(assert_type(nnx.state(m, Bare), nnx.State[Any, Bare]), Of(nnx.State, Bare))


def test_a_class_in_a_variable() -> None:
    kind: type[Param] = nnx.Param
    check(assert_type(nnx.state(net(), kind), nnx.State[Any, Param]), Of(nnx.State, nnx.Param))


def kernels(path: PathParts, value: Any) -> bool:
    return "kernel" in path


def test_filters_that_name_no_class() -> None:
    m = net()
    check(assert_type(nnx.state(m), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.state(m, ...), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.state(m, True), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.state(m, None), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.state(m, "params"), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.state(m, kernels), nnx.State[Any, Leaf]), nnx.State)
    check(
        assert_type(nnx.state(m, lambda path, value: "kernel" in path), nnx.State[Any, Leaf]),
        nnx.State,
    )
    check(assert_type(nnx.state(m, nnx.PathContains("kernel")), nnx.State[Any, Leaf]), nnx.State)
    check(assert_type(nnx.state(m, nnx.Not(nnx.Param)), nnx.State[Any, Leaf]), nnx.State)
    every = nnx.state(m, nnx.All(nnx.Param, "x"))
    check(assert_type(every, nnx.State[Any, Leaf]), nnx.State)  # plugin: Expression is of type "State[Any, Param[Array]]", not "State[Any, Variable[Any] | Any]"  [assert-type]  # fmt: skip
    check(assert_type(nnx.state(m, jax.Array), nnx.State[Any, Leaf]), nnx.State)


def test_a_filter_of_unknown_kind() -> None:
    def selected(filter: filterlib.Filter) -> nnx.State[Any, Any]:
        return check(assert_type(nnx.state(net(), filter), nnx.State[Any, Leaf]), nnx.State)

    selected(nnx.Param)


def test_a_tuple_is_a_union() -> None:
    m = net()
    check(
        assert_type(nnx.state(m, (nnx.Param, nnx.BatchStat)), nnx.State[Any, Param | BatchStat]),
        Of(nnx.State, (nnx.Param, nnx.BatchStat)),
    )
    check(
        assert_type(
            nnx.state(m, (nnx.Param, nnx.BatchStat, Counter)),
            nnx.State[Any, Param | BatchStat | Counter],
        ),
        Of(nnx.State, (nnx.Param, nnx.BatchStat, Counter)),
    )
    check(
        assert_type(
            nnx.state(m, (nnx.Param, Counter), nnx.BatchStat),
            tuple[nnx.State[Any, Param | Counter], nnx.State[Any, BatchStat]],
        ),
        tuple,
        Of(nnx.State, (nnx.Param, Counter)),
        Of(nnx.State, nnx.BatchStat),
    )


def test_other_collections_are_open() -> None:
    m = net()
    check(assert_type(nnx.state(m, (nnx.Param, "tag")), nnx.State[Any, Leaf]), nnx.State)
    listed = nnx.state(m, [nnx.Param, nnx.BatchStat])
    check(assert_type(listed, nnx.State[Any, Leaf]), nnx.State)  # plugin: Expression is of type "State[Any, Param[Array] | BatchStat[Array]]", not "State[Any, Variable[Any] | Any]"  [assert-type]  # fmt: skip


def test_arity() -> None:
    m = net()
    check(
        assert_type(
            nnx.state(m, nnx.Param, nnx.BatchStat),
            tuple[nnx.State[Any, Param], nnx.State[Any, BatchStat]],
        ),
        tuple,
        Of(nnx.State, nnx.Param),
        Of(nnx.State, nnx.BatchStat),
    )
    check(
        assert_type(
            nnx.state(m, nnx.Param, nnx.BatchStat, nnx.RngKey, nnx.RngCount, Counter, ...),
            tuple[
                nnx.State[Any, Param],
                nnx.State[Any, BatchStat],
                nnx.State[Any, nnx.RngKey],
                nnx.State[Any, nnx.RngCount],
                nnx.State[Any, Counter],
                nnx.State[Any, Leaf],
            ],
        ),
        tuple,
        Of(nnx.State, nnx.Param),
        Of(nnx.State, nnx.BatchStat),
        Of(nnx.State, nnx.RngKey),
        Of(nnx.State, nnx.RngCount),
        Of(nnx.State, Counter),
        nnx.State,
    )


def test_starred_filters() -> None:
    m = net()
    pair: tuple[type[BatchStat], EllipsisType] = (nnx.BatchStat, ...)
    check(
        assert_type(nnx.split(m, nnx.Param, *(nnx.RngKey, ...))[1], nnx.State[Any, Param]),
        Of(nnx.State, nnx.Param),
    )
    check(
        assert_type(nnx.split(m, nnx.Param, *pair)[2], nnx.State[Any, BatchStat]),
        Of(nnx.State, nnx.BatchStat),
    )

    filters: list[filterlib.Filter] = [nnx.Param, ...]
    graphdef, *states = nnx.split(linear(), *filters)
    check(assert_type(graphdef, nnx.GraphDef[nnx.Linear]), nnx.GraphDef)
    check(assert_type(states, list[nnx.State[Any, Leaf]]), list)
    check(assert_type(nnx.merge(graphdef, *states), nnx.Linear), nnx.Linear)


def test_three_filters_unpack_without_a_star() -> None:
    graphdef, params, stats, rest = nnx.split(net(), nnx.Param, nnx.BatchStat, ...)
    check(assert_type(params, nnx.State[Any, Param]), Of(nnx.State, nnx.Param))
    check(assert_type(stats, nnx.State[Any, BatchStat]), Of(nnx.State, nnx.BatchStat))
    check(assert_type(rest, nnx.State[Any, Leaf]), nnx.State)
    nnx.merge(graphdef, params, stats, rest)
