"""The functions that came in the course of Flax 0.12."""

from collections.abc import Iterator
from typing import Any, assert_type

import jax
import pytest
from flax import nnx
from flax.nnx import graphlib
from flax.typing import Key, PathParts
from static_check import Of, check
from static_models import Leaf, Net, linear, net

Param = nnx.Param[jax.Array]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_unpack() -> None:
    m = net()
    check(assert_type(nnx.unpack(m), nnx.GraphState[Net]), nnx.GraphState)
    check(assert_type(nnx.unpack(m)["linear"], Any), nnx.State)
    check(
        assert_type(nnx.unpack(m, nnx.Param, ...), tuple[nnx.GraphState[Net], nnx.GraphState[Net]]),
        tuple,
        nnx.GraphState,
        nnx.GraphState,
    )
    check(assert_type(nnx.merge(nnx.unpack(m)), Net), Net)
    check(assert_type(nnx.merge(*nnx.unpack(m, nnx.Param, ...)), Net), Net)


def test_map() -> None:
    check(assert_type(nnx.map(lambda path, v: v, net()), Net), Net)


def test_clone_with_arrays() -> None:
    check(assert_type(nnx.clone(net(), arrays=True), Net), Net)


def test_as_pure() -> None:
    params = nnx.state(linear(), nnx.Param)
    # mypy: a state whose keys are Any fits two overloads, so that the leaves are Any.
    check(assert_type(nnx.as_pure(params), nnx.State[Any, jax.Array]), Of(nnx.State, jax.Array))  # type: ignore[assert-type]
    check(assert_type(nnx.as_pure({"a": 1}), dict[str, int]), dict)


def test_variables_of_another_mode() -> None:
    check(assert_type(nnx.with_vars(net(), hijax=False), Net), Net)
    check(assert_type(nnx.vars_as(net(), hijax=False), Net), Net)


def test_metadata() -> None:
    check(assert_type(nnx.set_metadata(net(), only=nnx.Param, frozen=True), None), type(None))


def test_walks() -> None:
    m = net()
    check(assert_type(nnx.recursive_map(lambda path, node: node, m), Any), Net)
    check(assert_type(graphlib.iter_children(m), Iterator[tuple[Key, Any]]), Iterator)
    check(assert_type(graphlib.iter_module_children(m), Iterator[tuple[Key, Any]]), Iterator)


def test_modes() -> None:
    check(assert_type(nnx.set_graph_mode.current_value(), bool), bool)
    check(assert_type(nnx.set_graph_updates.current_value(), bool), bool)
    with nnx.set_graph_mode(True):
        check(
            assert_type(
                nnx.split(linear(), graph=True),
                tuple[nnx.GraphDef[nnx.Linear], nnx.State[Any, Leaf]],
            ),
            tuple,
        )


def test_the_module_behind_the_names() -> None:
    m = net()
    check(assert_type(graphlib.is_node(m), bool), bool)
    check(assert_type(graphlib.is_graph_node(m), bool), bool)
    check(assert_type(graphlib.is_node_type(Net), bool), bool)
    check(assert_type(graphlib.is_node_module(m), bool), bool)
    check(assert_type(graphlib.is_node_leaf(m), bool), bool)  # ty: ignore[assert-type-unspellable-subtype]  # keeps the TypeGuard
    check(assert_type(graphlib.is_pytree_node([]), bool), bool)
    check(
        assert_type(graphlib.get_node_impl(m), graphlib.NodeImpl[Net, Any, Any] | None),
        graphlib.NodeImplBase,
    )
    check(
        assert_type(graphlib.get_node_impl_for_type(Net), graphlib.NodeImpl[Net, Any, Any] | None),
        graphlib.NodeImplBase,
    )
    check(
        assert_type(graphlib.graph_pop(m, (nnx.Intermediate,)), tuple[nnx.State[Any, Leaf], ...]),
        tuple,
    )
    check(assert_type(graphlib.jax_to_nnx_path(()), PathParts), tuple)
    check(assert_type(nnx.graphdef(m).with_no_outer_index(), nnx.GraphDef[Net]), nnx.GraphDef)
    check(assert_type(nnx.graphdef(m).with_same_outer_index(), nnx.GraphDef[Net]), nnx.GraphDef)
    check(
        assert_type(nnx.graphdef(m).with_matching_outer_index(nnx.graphdef(m)), nnx.GraphDef[Net]),
        nnx.GraphDef,
    )
    graphdef, state = nnx.split(linear())
    check(
        assert_type(
            graphdef.apply(state)(jax.numpy.ones((1, 2))),
            tuple[Any, tuple[nnx.GraphDef[nnx.Linear], nnx.State[Any, nnx.Variable[Any] | Any]]],
        ),
        tuple,
    )
